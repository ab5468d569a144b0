package org.callahead.interop.dubbo;

import com.alibaba.foo.FooService;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.rpc.RpcContext;
import org.apache.dubbo.rpc.service.GenericService;
import org.callahead.interop.AttachmentService;
import org.callahead.interop.CounterService;
import org.callahead.interop.EchoService;
import org.callahead.interop.ExceptionService;
import org.callahead.interop.OverloadService;
import org.callahead.interop.TokenService;
import org.callahead.interop.TypesService;
import org.callahead.interop.VariantService;
import org.callahead.interop.VoidService;
import org.callahead.interop.service.Catalogue;
import org.callahead.interop.service.Pause;
import org.callahead.interop.service.Samples;

/**
 * Makes one call for each name that it reads from standard input, so that a recorder between it and the provider knows
 * to which call the bytes belong. Answers "READY" once, then "DONE name result" for each.
 */
public final class FrameConsumer {
    private final Map<String, Callable<Object>> steps = new LinkedHashMap<>();
    private final References references;

    private FrameConsumer(References references) {
        this.references = references;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err); // only answers on standard output
        References.start();
        int port = Integer.getInteger("interop.dubboPort");
        FrameConsumer consumer =
                new FrameConsumer(new References("dubbo", port, "serialization=hessian2&heartbeat=1000"));
        consumer.addValues();
        consumer.addFailures();
        consumer.addKinds();
        answers.println("READY");
        BufferedReader names = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String name = names.readLine(); name != null; name = names.readLine()) {
            answers.println("DONE " + name + " " + consumer.run(name));
        }
        Runtime.getRuntime().halt(0); // the connection closes at once, as when a consumer dies
    }

    private String run(String name) {
        RpcContext.removeContext(); // 2.7 keeps attachments of a call for the next one on a direct reference
        try {
            return String.valueOf(steps.get(name).call()).replace('\n', ' ');
        } catch (Throwable failure) { // an AssertionError arrives as itself
            return failure.toString().replace('\n', ' ');
        }
    }

    private void addValues() {
        EchoService echo = references.to(EchoService.class).get();
        FooService foo = references.to(FooService.class).get();
        TypesService types = references.to(TypesService.class).get();
        OverloadService overloads = references.to(OverloadService.class).get();
        VoidService nothing = references.to(VoidService.class).get();
        steps.put("value", () -> echo.echo("hello"));
        steps.put("object", () -> foo.findFoo("7", 0));
        steps.put("null", () -> foo.findFoo(null, 0));
        steps.put("void", () -> {
            nothing.run();
            return null;
        });
        steps.put("void-arguments", () -> {
            nothing.runAfter("text", 1);
            return null;
        });
        steps.put("emoji", () -> echo.echo("a\u00e9\u4f60\ud83d\ude00"));
        steps.put("nested", () -> types.echoPerson(Samples.person()));
        steps.put("cycle", () -> types.makeRing(2));
        steps.put("longs", () -> types.echoLongList(Arrays.asList(5L)).get(0).longValue());
        steps.put("overload-two", () -> overloads.of("text", 2));
        steps.put("overload-array", () -> overloads.of(new String[] {"a", "b"}));
    }

    private void addFailures() {
        ExceptionService failing = references.to(ExceptionService.class).get();
        Stranger method = references.to(Stranger.class, EchoService.class.getName()).get();
        Stranger service = references.to(Stranger.class).get();
        steps.put("exception-declared", () -> failing.declared(42, "declared"));
        steps.put("exception-undeclared", () -> failing.undeclared("undeclared"));
        steps.put("exception-foreign", () -> failing.foreign("foreign"));
        steps.put("exception-nested", () -> failing.nested("nested"));
        steps.put("exception-error", () -> failing.error("error"));
        steps.put("exception-rpc", () -> failing.rpc(4, "forbidden"));
        steps.put("unserializable", failing::unserializable);
        steps.put("unknown-service", () -> service.noSuchMethod("hello"));
        steps.put("unknown-method", () -> {
            // The path in the body follows this attachment, so a served interface is asked for a method it lacks.
            RpcContext.getContext().setAttachment("interface", EchoService.class.getName());
            return method.noSuchMethod("hello");
        });
    }

    private void addKinds() {
        EchoService async = References.with(references.to(EchoService.class), References.async("echoAfter")).get();
        CounterService oneWay = References.with(references.to(CounterService.class), References.oneWay("touchKey")).get();
        AttachmentService attachments = references.to(AttachmentService.class).get();
        TokenService token = references.to(TokenService.class).get();
        steps.put("async", () -> {
            async.echoAfter("later", 50);
            return RpcContext.getContext().getCompletableFuture().get();
        });
        steps.put("one-way", () -> {
            oneWay.touchKey("vector");
            Pause.of(200);
            return null;
        });
        steps.put("attachments", () -> {
            RpcContext.getContext().setAttachment("x-trace", "t-1");
            return attachments.seen();
        });
        steps.put("attachments-back", () -> {
            String answer = attachments.reply("Trace-Id", "t-1");
            return answer + " " + RpcContext.getServerContext().getAttachment("Trace-Id");
        });
        steps.put("token", () -> {
            RpcContext.getContext().setAttachment("token", Catalogue.TOKEN);
            return token.secret();
        });
        steps.put("token-missing", token::secret);
        steps.put("group-version", () -> variant("blue", "2.0.0").whoAmI());
        steps.put("echo", () -> ((org.apache.dubbo.rpc.service.EchoService) token).$echo("ping"));
        steps.put("generic", () -> generic().$invoke(
                "findFoo", new String[] {"java.lang.String", "int"}, new Object[] {"7", 0}));
        steps.put("pool-exhausted", () -> {
            async.echoAfter("occupies the only thread", 500);
            CompletableFuture<Object> first = RpcContext.getContext().getCompletableFuture();
            async.echoAfter("finds no thread", 0);
            CompletableFuture<Object> second = RpcContext.getContext().getCompletableFuture();
            second.handle((value, failure) -> null).get();
            return first.get() + ", " + second.isCompletedExceptionally();
        });
        steps.put("idle", () -> {
            Pause.of(2_500);
            return null;
        });
    }

    private VariantService variant(String group, String version) {
        ReferenceConfig<VariantService> reference = references.to(VariantService.class);
        reference.setGroup(group);
        reference.setVersion(version);
        return reference.get();
    }

    private GenericService generic() {
        ReferenceConfig<GenericService> reference = references.to(GenericService.class, FooService.class.getName());
        reference.setInterface(FooService.class.getName());
        reference.setGeneric("true");
        return reference.get();
    }
}
