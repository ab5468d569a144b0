package org.callahead.interop.service;

import com.alibaba.foo.Foo;
import com.alibaba.foo.FooService;

final class FooProvider implements FooService {
    @Override
    public Foo findFoo(String id, int delayMs) {
        Pause.of(delayMs);
        return id == null ? null : new Foo(id, "foo-" + id, delayMs);
    }
}
