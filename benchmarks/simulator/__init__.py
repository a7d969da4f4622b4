"""How fast the crash simulator is, beside plain choreographies of the same workflow that meet no faults."""
