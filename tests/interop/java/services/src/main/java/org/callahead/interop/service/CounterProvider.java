package org.callahead.interop.service;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.callahead.interop.CounterService;

final class CounterProvider implements CounterService {
    private final LongAdder plain = new LongAdder();
    private final Map<String, LongAdder> keyed = new ConcurrentHashMap<>();

    @Override
    public void touch() { plain.increment(); }

    @Override
    public long count() { return plain.sum(); }

    @Override
    public void touchKey(String key) { keyed.computeIfAbsent(key, absent -> new LongAdder()).increment(); }

    @Override
    public long countOf(String key) {
        LongAdder counter = keyed.get(key);
        return counter == null ? 0 : counter.sum();
    }

    @Override
    public void touchKeyThenFail(String key) {
        touchKey(key);
        throw new IllegalStateException("counted " + key + ", then failed");
    }
}
