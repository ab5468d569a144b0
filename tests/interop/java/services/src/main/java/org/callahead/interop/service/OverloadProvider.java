package org.callahead.interop.service;

import java.util.List;
import java.util.Map;
import org.callahead.interop.Address;
import org.callahead.interop.OverloadService;

final class OverloadProvider implements OverloadService {
    @Override
    public String of() { return "of()"; }

    @Override
    public String of(boolean value) { return "of(boolean)"; }

    @Override
    public String of(int value) { return "of(int)"; }

    @Override
    public String of(long value) { return "of(long)"; }

    @Override
    public String of(Integer value) { return "of(java.lang.Integer)"; }

    @Override
    public String of(double value) { return "of(double)"; }

    @Override
    public String of(String value) { return "of(java.lang.String)"; }

    @Override
    public String of(Object value) { return "of(java.lang.Object)"; }

    @Override
    public String of(String text, int number) { return "of(java.lang.String,int)"; }

    @Override
    public String of(int number, String text) { return "of(int,java.lang.String)"; }

    @Override
    public String of(String[] values) { return "of(java.lang.String[])"; }

    @Override
    public String of(List<String> values) { return "of(java.util.List)"; }

    @Override
    public String of(Map<String, String> values) { return "of(java.util.Map)"; }

    @Override
    public String of(Address value) { return "of(org.callahead.interop.Address)"; }
}
