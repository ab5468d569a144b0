package org.callahead.interop;

/** The least work a provider can do: what the benchmarks and the fault tests call. */
public interface EchoService {
    String echo(String text);

    byte[] echoBytes(byte[] data);

    /** Answers the text after the delay; the thread of the provider sleeps. */
    String echoAfter(String text, int delayMs);

    /** A string of that many characters: large answers need no large request. */
    String stringOf(int length);

    Wide echoWide(Wide wide);
}
