package org.callahead.interop.dubbo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.dubbo.config.ApplicationConfig;
import org.apache.dubbo.config.ProtocolConfig;
import org.apache.dubbo.config.RegistryConfig;
import org.apache.dubbo.config.ServiceConfig;
import org.apache.dubbo.config.bootstrap.DubboBootstrap;
import org.callahead.interop.service.Exposed;

/** Exports services with no admin port, and no registry but a given one; compiled against either Dubbo version. */
final class Exporter {
    private final List<ProtocolConfig> protocols;
    private final List<ServiceConfig> services = new ArrayList<>();

    Exporter(ProtocolConfig... protocols) {
        this.protocols = Arrays.asList(protocols);
    }

    /** A protocol on that port; the threads and queues are Dubbo's defaults unless a system property says otherwise. */
    static ProtocolConfig protocol(String name, int port) {
        ProtocolConfig protocol = new ProtocolConfig(name, port);
        protocol.setId(name);
        protocol.setThreads(Integer.getInteger("interop.threads", 200));
        protocol.setQueues(Integer.getInteger("interop.queues", 0));
        protocol.setPayload(Integer.getInteger("interop.payload", 8 * 1024 * 1024));
        protocol.setHeartbeat(Integer.getInteger("interop.heartbeat", 60_000));
        return protocol;
    }

    void addAll(List<Exposed<?>> exposed) {
        exposed.forEach(one -> services.add(service(one)));
    }

    void start() {
        DubboBootstrap bootstrap = DubboBootstrap.getInstance();
        bootstrap.application(application()).registry(registry()).protocols(protocols);
        services.forEach(service -> bootstrap.service(service));
        bootstrap.start();
    }

    private static RegistryConfig registry() {
        return new RegistryConfig(System.getProperty("interop.registry", "N/A"));
    }

    private static ApplicationConfig application() {
        ApplicationConfig application =
                new ApplicationConfig(System.getProperty("interop.application", "callahead-interop"));
        application.setQosEnable(false);
        application.setMetadataType(System.getProperty("interop.metadataType"));
        return application;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private ServiceConfig service(Exposed<?> one) {
        ServiceConfig service = new ServiceConfig<>();
        service.setId("service-" + services.size()); // 2.7 warns of every service without an id of its own
        service.setInterface(one.type);
        service.setRef(one.implementation);
        service.setProtocols(protocols);
        service.setScope("remote"); // no second export inside this JVM
        service.setGroup(one.group);
        service.setVersion(one.version);
        service.setToken(one.token);
        return service;
    }
}
