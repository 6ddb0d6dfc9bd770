/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.h - the contract between what hostd sees and what it decides
 *
 * A policy is a pure function: snapshot in, plan out. No I/O, no clock (time
 * is snapshot.now_ns), no allocation, no globals. What it must remember from
 * one call to the next lives in its own state object, so that two instances
 * can run side by side (tests, simulator).
 *
 * Words: docs/overview.md. A cpu has at most one owner, a vcpu. A vcpu that
 * owns no cpu rides on the cpus its VM owns, with none owned on the floor.
 * Best-effort vcpus ride on every managed cpu below everybody else.
 */
#ifndef HOSTD_POLICY_H
#define HOSTD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hl/bounds.h"
#include "hl/cpumask.h"
#include "hl/sensor.h"
#include "hl/vmset.h"

enum vm_class {
	VM_CLASS_BEST_EFFORT,
	VM_CLASS_LATENCY_CRITICAL,
};

/* Why a cpu moved. Names in policy_reason_name(), same order. */
enum reason {
	REASON_NONE,
	REASON_GUARANTEE,  /* VM below its configured minimum */
	REASON_DELAY,	   /* oldest untaken frame older than the threshold */
	REASON_READY_WAIT, /* a vcpu waited for a cpu longer than that */
	REASON_HELD,	   /* frames held because the guest's ring is full */
	REASON_PREEMPTED,  /* taken for a VM with a better claim */
	REASON_GIVE_BACK,  /* owned more than it used for a while */
	REASON_SPARE,	   /* nobody else wants the cpu */
	REASON_HINT,	   /* its agent says work waits inside the guest */
	REASON_BUDGET,	   /* a late VM changes for a better cpu */
	REASON_HOME,	   /* back to the node its memory is on */
	REASON_HARVESTER,  /* a harvester keeps an owner from its own cpu */
	REASON_SIBLING,	  /* what runs on the SMT sibling slows an owner down */
	REASON_BANDWIDTH, /* memory bandwidth is short; this VM uses most */
	REASON_RELIEF,	  /* what was barred may come back */
	REASON_GONE,	  /* VM stopped, vcpu unplugged, cpu unmanaged */
	REASON_NUM,
};

struct vcpu_view {
	uint16_t vm;	    /* VM_NONE: slot not in use */
	uint16_t cpu;	    /* the cpu it owns, or CPU_NONE; derived */
	uint16_t last_cpu;  /* where it last ran, or CPU_NONE */
	uint8_t run;	    /* enum vcpu_run, hl/sensor.h */
	uint64_t since_ns;  /* when `run` began */
	uint64_t ran_ns;    /* cpu time, finished stretches: vcpu_ran_ns() */
	uint64_t waited_ns; /* ready wait, likewise: vcpu_waited_ns() */
	uint16_t hint_runnable; /* workers on it, says its VM's agent */
};

/* What an SLO is about. */
enum slo_signal {
	SLO_DELAY,    /* how long frames wait until the guest takes them */
	SLO_RESPONSE, /* from a request to its first answer, at the switch */
	SLO_SIGNAL_NUM,
};

struct vm_view {
	bool present;
	bool has_port;	    /* has a vhost-user port: delay means something */
	uint8_t class;	    /* enum vm_class */
	uint8_t slo_signal; /* enum slo_signal */
	bool hinted;	    /* an agent is heard; else what it says is 0 */
	uint16_t cpus_min, cpus_max;   /* guaranteed; never more than */
	uint16_t first_vcpu, vcpu_cnt; /* its slots in snapshot.vcpu[] */
	uint16_t plugged;	       /* vcpus there are; derived */
	uint16_t owned;		       /* cpus its vcpus own now; derived */
	uint16_t due;	   /* cpus it may insist on, see snapshot.h; derived */
	uint16_t held;	   /* frames held for its full ring */
	uint64_t delay_ns; /* age of the oldest untaken frame; 0: none */
	uint64_t ready_ns; /* longest open ready wait among its vcpus */
	uint64_t slo_ns;   /* target of slo_signal; 0: none */
	/* Of slo_signal, since the VM came: all, and those over slo_ns. */
	uint64_t done, late;
	/* From here on, what few decisions read. */
	uint64_t mem_bytes_s;	/* its memory traffic; 0 where not metered */
	uint16_t slo_permyriad; /* of 10,000 so many must meet it */
	uint16_t weight;	/* among best-effort VMs, 1..10000 */
	uint16_t node; /* where its memory is, or NODE_NONE: not known */
	/* What the guest's agent says: a hint, made up perhaps. */
	uint16_t hint_wanted;  /* vcpus it could use; <= vcpu_cnt */
	uint64_t hint_wait_ns; /* its oldest waiting worker; <= 1 s */
};

struct cpu_view {
	bool managed;	    /* may be given to an owner */
	bool floor;	    /* VMs that own nothing run here */
	uint16_t owner;	    /* vcpu, or VCPU_NONE */
	uint16_t sibling;   /* its SMT sibling, or CPU_NONE */
	uint16_t beside;    /* whose sibling it is; derived */
	uint16_t llc, node; /* which last-level cache, which NUMA node */
	uint64_t since_ns;  /* when the owner changed last */
};

struct node_view {
	bool metered;		    /* the next three mean something */
	uint64_t since_ns;	    /* traffic is the average since then */
	uint64_t mem_bytes_s;	    /* memory traffic of all that runs there */
	uint64_t mem_max_bytes_s;   /* what it can bear; 0: not known */
	uint8_t distance[NODE_MAX]; /* to other nodes, as ACPI SLIT: 10 = own */
};

/*
 * `changed` lists, each once, the VMs of which anything may differ from the
 * decision before: a signal, a vcpu's state, what it owns, its configuration.
 * While a frame is untaken or a vcpu is ready, time alone changes its view:
 * such a VM is always listed. All others stand as they were; a policy that
 * looks at them again learns nothing. After a reload all are listed.
 */
struct snapshot {
	uint64_t now_ns;
	uint64_t move_ns; /* what moving a vcpu takes here; 0: not known */
	uint16_t vm_cnt, vcpu_cnt, cpu_cnt; /* highest slot in use + 1 */
	uint16_t node_cnt;
	uint16_t changed_cnt;
	uint16_t changed[VM_MAX];
	struct node_view node[NODE_MAX];
	struct vm_view vm[VM_MAX];
	struct vcpu_view vcpu[VCPU_MAX];
	struct cpu_view cpu[CPU_MAX];
	/* Derived from the above: snapshot.h says by whom, and keeps it true.
	 * Policies find here what they would else walk over all cpus or VMs
	 * for. An owner is gone when its slot is, or owns another cpu. */
	struct cpumask managed;
	struct cpumask free;  /* managed; the owner is nobody, or gone */
	struct cpumask gone;  /* must be taken from who owns it: gone, or the
				 cpu is not managed */
	struct cpumask alone; /* nobody owns its SMT sibling */
	struct cpumask llc[CPU_MAX]; /* the cpus of each */
	struct cpumask node_cpus[NODE_MAX];
	struct vmset below;   /* VMs that own less than is due */
	struct vmset rich;    /* more than is due; best-effort: any */
	struct vmset above;   /* more than cpus_max */
	struct vmset elastic; /* latency-critical, could own more or less */
	struct vmset marked;  /* will be in changed[] of the next snapshot */
};

/* vcpu_ran_ns() - Cpu time so far, a running stretch included. */
static inline uint64_t vcpu_ran_ns(const struct snapshot *s, uint16_t vcpu)
{
	const struct vcpu_view *v = &s->vcpu[vcpu];

	if (v->run != VCPU_RUN_RUNNING || v->since_ns > s->now_ns)
		return v->ran_ns;
	return v->ran_ns + s->now_ns - v->since_ns;
}

/* vcpu_waited_ns() - Ready wait so far, an open wait included. */
static inline uint64_t vcpu_waited_ns(const struct snapshot *s, uint16_t vcpu)
{
	const struct vcpu_view *v = &s->vcpu[vcpu];

	if (v->run != VCPU_RUN_READY || v->since_ns > s->now_ns)
		return v->waited_ns;
	return v->waited_ns + s->now_ns - v->since_ns;
}

/* Give @cpu to @vcpu, taking it from whoever owns it; VCPU_NONE: to nobody.
 * A vcpu owns one cpu at most: what it owned before is then nobody's. */
struct grant {
	uint16_t cpu;
	uint16_t vcpu;
	uint16_t reason;   /* enum reason */
	uint64_t saw_ns;   /* the signal that led to it; 0: none did */
	uint64_t limit_ns; /* what it was compared with */
};

/* From now on best-effort VM @vm (VM_NONE: all of them) does not ride on
 * @cpus; what an earlier line said of @vm is replaced. */
struct bar {
	uint16_t vm;
	uint16_t reason; /* enum reason */
	struct cpumask cpus;
};

#define BAR_MAX 32

/* Carried out in order; a cpu may stand in it once only, a barred VM too. */
struct plan {
	uint16_t count;
	uint16_t bar_cnt;
	struct grant grant[CPU_MAX];
	struct bar bar[BAR_MAX];
};

/*
 * One policy. @state is @state_bytes of zeroed memory that only this policy
 * reads and writes; decide() is called on the poll thread and must be bounded
 * by the snapshot's counts. The plan's counts are 0 on entry.
 */
struct policy_ops {
	const char *name;
	const char *about; /* one line for --help and hostctl */
	/* Agents are told what their VMs own. Only where decide() sees that
	 * work waits inside a guest: what an agent keeps on the vcpus that own
	 * a cpu makes no other vcpu wait. */
	bool tells_agents;
	size_t state_bytes;
	void (*decide)(void *state, const struct snapshot *s, struct plan *p);
};

extern const struct policy_ops policy_none, policy_static, policy_simple,
    policy_slo, policy_ias, policy_numa;

/* policy_table - Every policy there is, NULL-terminated. */
extern const struct policy_ops *const policy_table[];

/* policy_find() - Return: the policy called @name, or NULL. */
const struct policy_ops *policy_find(const char *name);

/* policy_reason_name() - Return: a short lower-case word, never NULL. */
const char *policy_reason_name(unsigned reason);

/* plan_add() - Append a grant. Return: false when the plan is full. */
bool plan_add(struct plan *p, uint16_t cpu, uint16_t vcpu, enum reason why);

/* plan_bar() - Bar @vm (VM_NONE: all best-effort VMs) from @cpus; replaces a
 * bar of it in the same plan. Return: false when the plan is full. */
bool plan_bar(struct plan *p, uint16_t vm, const struct cpumask *cpus,
	      enum reason why);

#endif
