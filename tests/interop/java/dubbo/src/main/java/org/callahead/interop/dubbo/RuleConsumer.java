package org.callahead.interop.dubbo;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.SortedSet;
import java.util.TreeSet;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.RpcException;
import org.callahead.interop.EchoService;

/**
 * Calls EchoService through a registry and says who answered, for comparing rules. Each line of standard input is the
 * number of calls, the method, the argument, and attachments as key=value; each line of output is the answers, sorted.
 * With the property interop.cluster=told nobody is called, and the answer is who might have been.
 */
public final class RuleConsumer {
    private final EchoService echo;

    private RuleConsumer(EchoService echo) {
        this.echo = echo;
    }

    public static void main(String[] arguments) throws IOException {
        PrintStream answers = System.out;
        System.setOut(System.err);
        RuleConsumer consumer = new RuleConsumer(reference().get());
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        answers.println("READY");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            answers.println(String.join(" ", consumer.answers(line.split(" "))));
        }
        System.exit(0);
    }

    private static ReferenceConfig<EchoService> reference() {
        ApplicationConfig application = new ApplicationConfig("shop-web");
        application.setQosEnable(false);
        RegistryConfig registry = new RegistryConfig(System.getProperty("interop.registry"));
        DubboBootstrap.getInstance().application(application).registry(registry).start();
        ToldCluster.install();
        ReferenceConfig<EchoService> reference = new ReferenceConfig<>();
        reference.setInterface(EchoService.class);
        reference.setCheck(false);
        reference.setRetries(0);
        reference.setTimeout(10_000);
        reference.setLoadbalance("roundrobin");
        reference.setCluster(System.getProperty("interop.cluster", "failover"));
        reference.setLazy(true);
        reference.setParameters(Collections.singletonMap("migration.step", "FORCE_INTERFACE"));
        return reference;
    }

    private SortedSet<String> answers(String[] words) {
        SortedSet<String> found = new TreeSet<>();
        for (int call = 0; call < Integer.parseInt(words[0]); call++) {
            for (int word = 3; word < words.length; word++) {
                String[] pair = words[word].split("=", 2);
                RpcContext.getContext().setAttachment(pair[0], pair[1]);
            }
            found.add(answer(words[1], words[2]));
        }
        return found;
    }

    private String answer(String method, String argument) {
        try {
            return method.equals("echo") ? echo.echo(argument) : echo.echoAfter(argument, 0);
        } catch (RpcException error) {
            boolean isNobody = error.isNoInvokerAvailableAfterFilter() || error.isForbidden();
            return isNobody ? "nobody" : error.getMessage().replace(' ', '_').replace('\n', '_');
        }
    }
}
