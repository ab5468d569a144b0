package org.callahead.interop;

/** What a one-way call did can only be asked for afterwards: counters, one without and one for each key. */
public interface CounterService {
    void touch();

    long count();

    void touchKey(String key);

    long countOf(String key);

    /** Counts the key, then throws: a one-way caller must never hear of it. */
    void touchKeyThenFail(String key);
}
