package org.callahead.interop.dubbo;

import java.util.List;
import java.util.stream.Collectors;
import org.apache.dubbo.common.URL;
import org.apache.dubbo.common.extension.ExtensionLoader;
import org.apache.dubbo.rpc.AsyncRpcResult;
import org.apache.dubbo.rpc.Invocation;
import org.apache.dubbo.rpc.Invoker;
import org.apache.dubbo.rpc.Result;
import org.apache.dubbo.rpc.cluster.Cluster;
import org.apache.dubbo.rpc.cluster.Directory;
import org.apache.dubbo.rpc.cluster.LoadBalance;
import org.apache.dubbo.rpc.cluster.support.AbstractClusterInvoker;
import org.apache.dubbo.rpc.cluster.support.wrapper.AbstractCluster;

/**
 * Calls nobody: the answer is the addresses that the routers left, so that providers need not be there. Where the first
 * argument is ?key each address is followed by =value, what holds for the method there.
 */
public final class ToldCluster extends AbstractCluster {
    static final String NAME = "told";

    static void install() {
        ExtensionLoader.getExtensionLoader(Cluster.class).addExtension(NAME, ToldCluster.class);
    }

    @Override
    protected <T> AbstractClusterInvoker<T> doJoin(Directory<T> directory) {
        return new Told<>(directory);
    }

    private static final class Told<T> extends AbstractClusterInvoker<T> {
        Told(Directory<T> directory) {
            super(directory);
        }

        @Override
        protected Result doInvoke(Invocation invocation, List<Invoker<T>> invokers, LoadBalance loadBalance) {
            String told = invokers.stream()
                    .map(invoker -> told(invocation, invoker.getUrl()))
                    .sorted()
                    .collect(Collectors.joining(","));
            return AsyncRpcResult.newDefaultAsyncResult(told.isEmpty() ? "nobody" : told, invocation);
        }

        private String told(Invocation invocation, URL provider) {
            String asked = String.valueOf(invocation.getArguments()[0]);
            if (!asked.startsWith("?")) {
                return provider.getAddress();
            }
            String key = asked.substring(1);
            // The cluster takes the number of attempts from the consumer's URL, all else is the provider's.
            URL url = key.equals("retries") ? getUrl() : provider;
            return provider.getAddress() + "=" + url.getMethodParameter(invocation.getMethodName(), key, "unset");
        }
    }
}
