package com.alibaba.bar;

/** The second of the two services of the running example. */
public interface BarService {
    /** Answers {@code Bar(id, "bar-" + id, delayMs)} after the delay; null when the id is null. */
    Bar findBar(String id, int delayMs);
}
