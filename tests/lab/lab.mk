# Cases of the lab itself: tests/lab/run runs them, in this order with others'.
# What they need beyond `all` is built by LAB_BINS.
LAB_CASES += kvm cgroup-v2
