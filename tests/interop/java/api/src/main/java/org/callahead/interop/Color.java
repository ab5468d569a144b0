package org.callahead.interop;

/** An enum whose second constant has a body, so its class is not Color itself. */
public enum Color {
    RED,
    GREEN {
        @Override
        public boolean isCalm() { return true; }
    },
    BLUE;

    public boolean isCalm() { return false; }
}
