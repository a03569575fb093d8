"""Evidence packages (131.7-2): what is saved to portable media, sealed for a court to check.

A package is a BagIt 1.0 bag (RFC 8493) in a zip. Its tag manifest is signed, and each record of the
access log in it comes with a proof that the log contains it. Checking one needs no server.
"""
