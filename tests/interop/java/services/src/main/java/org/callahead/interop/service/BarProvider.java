package org.callahead.interop.service;

import com.alibaba.bar.Bar;
import com.alibaba.bar.BarService;

final class BarProvider implements BarService {
    @Override
    public Bar findBar(String id, int delayMs) {
        Pause.of(delayMs);
        return id == null ? null : new Bar(id, "bar-" + id, delayMs);
    }
}
