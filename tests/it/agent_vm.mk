# the guest-agent in emulated guests, honest and not
IT += tests/it/agent tests/it/agent-liar
