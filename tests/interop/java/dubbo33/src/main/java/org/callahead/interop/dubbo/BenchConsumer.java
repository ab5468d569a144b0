package org.callahead.interop.dubbo;

import com.sun.management.OperatingSystemMXBean;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.util.Locale;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.LongAdder;
import org.apache.dubbo.config.ReferenceConfig;
import org.apache.dubbo.rpc.RpcContext;
import org.callahead.interop.EchoService;

/**
 * The Java Dubbo consumer as a peer of the benchmarks: 100-byte echoes, one at a time and then many in flight through
 * async=true and RpcContext, the way of calling that callahead gives to Python. Prints one line of JSON.
 */
public final class BenchConsumer {
    private static final OperatingSystemMXBean PROCESS =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private final String text = "x".repeat(Integer.getInteger("interop.bytes", 100));
    private final LongAdder failures = new LongAdder();
    private final EchoService sync;
    private final EchoService async;

    private BenchConsumer(References references) {
        sync = references.to(EchoService.class).get();
        ReferenceConfig<EchoService> reference = references.to(EchoService.class);
        async = References.with(reference, References.async("echo")).get();
    }

    public static void main(String[] arguments) throws InterruptedException {
        PrintStream answers = System.out;
        System.setOut(System.err); // only JSON on standard output
        int calls = Integer.getInteger("interop.calls", 100_000);
        int inFlight = Integer.getInteger("interop.inFlight", 100);
        int port = Integer.getInteger("interop.port");
        String protocol = System.getProperty("interop.protocol", "dubbo");
        References.start();
        BenchConsumer bench = new BenchConsumer(new References(protocol, port, "serialization=hessian2"));
        bench.one(calls / 10 + 1); // the just-in-time compiler's share is not measured
        bench.many(calls, inFlight);
        String one = measured(calls / 10 + 1, 1, () -> bench.one(calls / 10 + 1));
        String many = measured(calls, inFlight, () -> bench.many(calls, inFlight));
        answers.printf("{\"protocol\": \"%s\", \"failures\": %d, \"one_at_a_time\": %s, \"in_flight\": %s}%n",
                protocol, bench.failures.sum(), one, many);
        System.exit(bench.failures.sum() == 0 ? 0 : 1);
    }

    private void one(int calls) {
        for (int call = 0; call < calls; call++) {
            if (!text.equals(sync.echo(text))) {
                failures.increment();
            }
        }
    }

    private void many(int calls, int inFlight) throws InterruptedException {
        Semaphore window = new Semaphore(inFlight);
        for (int call = 0; call < calls; call++) {
            window.acquire();
            async.echo(text);
            RpcContext.getServiceContext().<String>getCompletableFuture().whenComplete((answer, failure) -> {
                if (!text.equals(answer)) {
                    failures.increment();
                }
                window.release();
            });
        }
        window.acquire(inFlight); // all answered
    }

    private interface Work {
        void run() throws InterruptedException;
    }

    private static String measured(int calls, int inFlight, Work work) throws InterruptedException {
        long cpu = PROCESS.getProcessCpuTime();
        long start = System.nanoTime();
        work.run();
        double seconds = (System.nanoTime() - start) / 1e9;
        double cpuSeconds = (PROCESS.getProcessCpuTime() - cpu) / 1e9;
        return String.format(Locale.ROOT,
                "{\"calls\": %d, \"window\": %d, \"seconds\": %.6f, \"calls_per_s\": %.1f, \"cpu_seconds\": %.6f,"
                        + " \"cpu_us_per_call\": %.3f}",
                calls, inFlight, seconds, calls / seconds, cpuSeconds, cpuSeconds / calls * 1e6);
    }
}
