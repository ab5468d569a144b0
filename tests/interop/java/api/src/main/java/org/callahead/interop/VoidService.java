package org.callahead.interop;

/** Methods without a value. */
public interface VoidService {
    void run();

    void runAfter(String text, int delayMs);

    void fail(String message);
}
