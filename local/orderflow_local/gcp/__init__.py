"""Google Cloud on one machine: brokers and stores that the real SDKs speak to, and the real functions-framework."""
