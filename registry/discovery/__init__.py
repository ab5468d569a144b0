"""Discovery by application, as Dubbo 3 does it: interface > applications > instances > what their revisions provide."""
