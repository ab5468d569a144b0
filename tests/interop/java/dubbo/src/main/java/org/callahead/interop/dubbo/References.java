package org.callahead.interop.dubbo;

import java.util.Collections;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.MethodConfig;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;

/** Direct references to one address; compiled against either Dubbo version. */
final class References {
    private final String protocol;
    private final int port;
    private final String parameters;

    /** The parameters are appended to every URL, as "serialization=hessian2&heartbeat=1000". */
    References(String protocol, int port, String parameters) {
        this.protocol = protocol;
        this.port = port;
        this.parameters = parameters;
    }

    static void start() {
        ApplicationConfig application = new ApplicationConfig("callahead-interop-consumer");
        application.setQosEnable(false);
        DubboBootstrap.getInstance().application(application).start();
    }

    <T> ReferenceConfig<T> to(Class<T> type) {
        return to(type, type.getName());
    }

    <T> ReferenceConfig<T> to(Class<T> type, String path) {
        ReferenceConfig<T> reference = new ReferenceConfig<>();
        reference.setInterface(type);
        reference.setUrl(protocol + "://127.0.0.1:" + port + "/" + path + "?" + parameters);
        reference.setCheck(false);
        reference.setRetries(0);
        reference.setTimeout(10_000);
        return reference;
    }

    static <T> ReferenceConfig<T> with(ReferenceConfig<T> reference, MethodConfig method) {
        reference.setMethods(Collections.singletonList(method));
        return reference;
    }

    static MethodConfig async(String name) {
        MethodConfig method = new MethodConfig();
        method.setName(name);
        method.setAsync(true);
        return method;
    }

    static MethodConfig oneWay(String name) {
        MethodConfig method = async(name);
        method.setReturn(false);
        return method;
    }
}
