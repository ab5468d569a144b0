package org.callahead.interop.service;

/** The scripted delay of a service: it holds one thread of the provider, as slow business code does. */
public final class Pause {
    private Pause() {}

    public static void of(int delayMs) {
        if (delayMs <= 0) {
            return;
        }
        try {
            Thread.sleep(delayMs);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }
}
