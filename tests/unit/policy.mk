# decisions: policies, the ownership table, cpu lists
POLICY_SRCS := $(wildcard hostd/policy/*.c)
SCENE_SRCS := tests/unit/scene.c hostd/cpulist.c

UNIT += cpulist
UNIT_SRCS_cpulist := hostd/cpulist.c
UNIT += owners
UNIT_SRCS_owners := hostd/owners.c
UNIT += budget
UNIT_SRCS_budget := hostd/policy/budget.c
UNIT += pick
UNIT_SRCS_pick := $(POLICY_SRCS) $(SCENE_SRCS)
UNIT += pick_model
UNIT_SRCS_pick_model := $(POLICY_SRCS)
UNIT += wheel
UNIT_SRCS_wheel := hostd/policy/wheel.c
UNIT += policy
UNIT_SRCS_policy := $(POLICY_SRCS) hostd/owners.c tests/unit/policy_rules.c
UNIT += policy_static
UNIT_SRCS_policy_static := $(POLICY_SRCS) $(SCENE_SRCS)
UNIT += policy_simple
UNIT_SRCS_policy_simple := $(POLICY_SRCS) $(SCENE_SRCS)
UNIT += policy_slo
UNIT_SRCS_policy_slo := $(POLICY_SRCS) $(SCENE_SRCS)
UNIT += policy_ias
UNIT_SRCS_policy_ias := $(POLICY_SRCS) $(SCENE_SRCS)
UNIT += policy_slo_host
UNIT_SRCS_policy_slo_host := $(POLICY_SRCS) hostd/owners.c
