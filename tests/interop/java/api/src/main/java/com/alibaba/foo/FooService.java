package com.alibaba.foo;

/** The first of the two services of the running example. */
public interface FooService {
    /** Answers {@code Foo(id, "foo-" + id, delayMs)} after the delay; null when the id is null. */
    Foo findFoo(String id, int delayMs);
}
