package com.alibaba.foo;

import java.io.Serializable;

/** What {@link FooService} finds. */
public class Foo implements Serializable {
    private static final long serialVersionUID = 1L;

    private String id;
    private String name;
    private int delayMs;

    public Foo() {}

    public Foo(String id, String name, int delayMs) {
        this.id = id;
        this.name = name;
        this.delayMs = delayMs;
    }

    public String getId() { return id; }
    public void setId(String id) { this.id = id; }
    public String getName() { return name; }
    public void setName(String name) { this.name = name; }
    public int getDelayMs() { return delayMs; }
    public void setDelayMs(int delayMs) { this.delayMs = delayMs; }

    @Override
    public String toString() { return "Foo(" + id + ", " + name + ", " + delayMs + ")"; }
}
