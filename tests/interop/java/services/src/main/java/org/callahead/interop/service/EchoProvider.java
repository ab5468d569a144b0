package org.callahead.interop.service;

import org.callahead.interop.EchoService;
import org.callahead.interop.Wide;

final class EchoProvider implements EchoService {
    @Override
    public String echo(String text) { return text; }

    @Override
    public byte[] echoBytes(byte[] data) { return data; }

    @Override
    public String echoAfter(String text, int delayMs) {
        Pause.of(delayMs);
        return text;
    }

    @Override
    public String stringOf(int length) { return "x".repeat(length); }

    @Override
    public Wide echoWide(Wide wide) { return wide; }
}
