# the guest-agent, honest and not, in KVM guests
LAB_CASES += agent agent-liar
