package org.callahead.interop.service;

import org.callahead.interop.VoidService;

final class VoidProvider implements VoidService {
    @Override
    public void run() {}

    @Override
    public void runAfter(String text, int delayMs) { Pause.of(delayMs); }

    @Override
    public void fail(String message) { throw new IllegalStateException(message); }
}
