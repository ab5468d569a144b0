package org.callahead.interop.dubbo;

import java.util.Arrays;
import java.util.List;
import org.apache.dubbo.common.Version;
import org.apache.dubbo.config.ProtocolConfig;
import org.callahead.interop.greeter.Greeter;
import org.callahead.interop.service.Catalogue;
import org.callahead.interop.service.Exposed;
import org.callahead.interop.service.Lifecycle;

/** A Dubbo 3.3 provider that serves the same interfaces over dubbo and tri, and the protobuf service. */
public final class Provider33 {
    private Provider33() {}

    public static void main(String[] arguments) {
        Lifecycle.begin();
        int dubbo = Integer.getInteger("interop.dubboPort");
        int tri = Integer.getInteger("interop.triPort");
        Exporter exporter = new Exporter(Arrays.stream(
                        System.getProperty("interop.protocols", "dubbo,tri").split(","))
                .map(name -> Exporter.protocol(name, name.equals("dubbo") ? dubbo : tri))
                .toArray(ProtocolConfig[]::new));
        Framework33 framework = new Framework33();
        exporter.addAll(Catalogue.of(framework));
        exporter.addAll(List.of(Exposed.plain(Greeter.class, new GreeterProvider(framework))));
        exporter.start();
        Lifecycle.serveUntilEndOfInput(String.format(
                "{\"version\": \"%s\", \"dubbo\": %d, \"tri\": %d}", Version.getVersion(), dubbo, tri));
    }
}
