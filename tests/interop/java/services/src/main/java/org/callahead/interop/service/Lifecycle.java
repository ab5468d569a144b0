package org.callahead.interop.service;

import java.io.IOException;
import java.io.PrintStream;

/** Says READY, then lives exactly as long as whoever started this JVM keeps its standard input open. */
public final class Lifecycle {
    /** Standard output carries the READY line and nothing else; whatever Dubbo prints goes to standard error. */
    private static final PrintStream ANSWERS = System.out;

    static {
        System.setOut(System.err);
    }

    private Lifecycle() {}

    /** Makes sure that the class is loaded, and so standard output taken, before Dubbo prints. */
    public static void begin() {}

    public static void serveUntilEndOfInput(String ready) {
        ANSWERS.println("READY " + ready);
        ANSWERS.flush();
        awaitEndOfInput();
        haltAfter(Integer.getInteger("interop.haltAfterMs", 15_000));
        System.exit(0); // runs Dubbo's shutdown hook, as SIGTERM does
    }

    private static void awaitEndOfInput() {
        try {
            while (System.in.read() >= 0) {
                continue;
            }
        } catch (IOException closed) {
            return;
        }
    }

    /** A shutdown hook that hangs must not leave an orphan: with no parent, nobody would send a second signal. */
    private static void haltAfter(int millis) {
        Thread guard = new Thread(() -> {
            Pause.of(millis);
            Runtime.getRuntime().halt(3);
        });
        guard.setDaemon(true);
        guard.start();
    }
}
