package org.callahead.interop.service;

import com.alibaba.bar.BarService;
import com.alibaba.foo.FooService;
import java.util.ArrayList;
import java.util.List;
import org.callahead.interop.AttachmentService;
import org.callahead.interop.CounterService;
import org.callahead.interop.EchoService;
import org.callahead.interop.ExceptionService;
import org.callahead.interop.OverloadService;
import org.callahead.interop.TokenService;
import org.callahead.interop.TypesService;
import org.callahead.interop.VariantService;
import org.callahead.interop.VoidService;

/** Everything a provider serves: the same list for every Dubbo version and protocol. */
public final class Catalogue {
    public static final String TOKEN = "s3same";

    private Catalogue() {}

    public static List<Exposed<?>> of(Framework framework) {
        List<Exposed<?>> all = new ArrayList<>();
        all.add(Exposed.plain(FooService.class, new FooProvider()));
        all.add(Exposed.plain(BarService.class, new BarProvider()));
        all.add(Exposed.plain(EchoService.class, new EchoProvider()));
        all.add(Exposed.plain(TypesService.class, TypesProvider.create()));
        all.add(Exposed.plain(ExceptionService.class, new ExceptionProvider(framework)));
        all.add(Exposed.plain(VoidService.class, new VoidProvider()));
        all.add(Exposed.plain(OverloadService.class, new OverloadProvider()));
        all.add(Exposed.plain(AttachmentService.class, new AttachmentProvider(framework)));
        all.add(Exposed.plain(CounterService.class, new CounterProvider()));
        all.add(Exposed.guarded(TokenService.class, () -> "open", TOKEN));
        all.add(variant(null, null));
        all.add(variant(null, "1.0.0"));
        all.add(variant(null, "2.0.0"));
        all.add(variant("blue", null));
        all.add(variant("blue", "2.0.0"));
        return all;
    }

    private static Exposed<VariantService> variant(String group, String version) {
        String name = (group == null ? "" : group) + "/" + (version == null ? "" : version);
        return Exposed.variant(VariantService.class, () -> name, group, version);
    }
}
