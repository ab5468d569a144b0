package org.callahead.interop.dubbo;

import org.apache.dubbo.common.Version;
import org.callahead.interop.service.Catalogue;
import org.callahead.interop.service.Lifecycle;

/** A Dubbo 2.7 provider on the dubbo protocol. */
public final class Provider27 {
    private Provider27() {}

    public static void main(String[] arguments) {
        Lifecycle.begin();
        int dubbo = Integer.getInteger("interop.dubboPort");
        Exporter exporter = new Exporter(Exporter.protocol("dubbo", dubbo));
        exporter.addAll(Catalogue.of(new Framework27()));
        exporter.start();
        Lifecycle.serveUntilEndOfInput(
                String.format("{\"version\": \"%s\", \"dubbo\": %d}", Version.getVersion(), dubbo));
    }
}
