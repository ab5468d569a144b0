package org.callahead.interop;

import java.io.Serializable;

/** The inner value of {@link Person} and {@link Wide}. */
public class Address implements Serializable {
    private static final long serialVersionUID = 1L;

    private String street;
    private int zipCode;

    public Address() {}

    public Address(String street, int zipCode) {
        this.street = street;
        this.zipCode = zipCode;
    }

    public String getStreet() { return street; }
    public void setStreet(String street) { this.street = street; }
    public int getZipCode() { return zipCode; }
    public void setZipCode(int zipCode) { this.zipCode = zipCode; }

    @Override
    public String toString() { return "Address(" + street + ", " + zipCode + ")"; }
}
