"""Processor time per event. Each program does the same work: a Lambda event with ten SQS records, each an OrderPlaced
CloudEvent of 1.2 kB, is decoded, validated into models, de-duplicated by event id, stock is taken from a dict, and one
CloudEvent a record is made for a publisher that does nothing."""
