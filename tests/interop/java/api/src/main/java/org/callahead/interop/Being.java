package org.callahead.interop;

import java.io.Serializable;

/** A superclass with fields of its own: hessian writes inherited fields too. */
public abstract class Being implements Serializable {
    private static final long serialVersionUID = 1L;

    private long bornAt;

    public long getBornAt() { return bornAt; }
    public void setBornAt(long bornAt) { this.bornAt = bornAt; }
}
