UNIT += ksched_proto
