// SPDX-License-Identifier: GPL-2.0-only
/*
 * create-klp-module: turns the livepatch relocations of a linked module from their intermediate
 * form, ordinary relocations against .kpatch.sym.* symbols, into the one that the kernel's loader
 * applies, and checks that the kernel will load the result.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>

#include "diag.h"
#include "module.h"

const char *argp_program_version = "create-klp-module " KPATCH_VERSION;

enum {
	OPT_NO_MODVERSIONS = 256,
	OPT_FINDINGS,
};

struct arguments {
	const char *in, *out;
	bool no_modversions;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case 'd':
		diag_set_debug(true);
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case OPT_FINDINGS:
		return diag_findings(arg) ? EINVAL : 0;
	case OPT_NO_MODVERSIONS:
		args->no_modversions = true;
		return 0;
	case ARGP_KEY_ARG:
		if (args->out) {
			diag_error("%s: one argument too many; see create-klp-module --help", arg);
			return EINVAL;
		}
		*(args->in ? &args->out : &args->in) = arg;
		return 0;
	case ARGP_KEY_END:
		if (!args->out) {
			diag_error("%s is missing; see create-klp-module --help",
				   args->in ? "OUT.ko" : "IN.ko");
			return EINVAL;
		}
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int convert(struct module *mod, const struct arguments *args)
{
	if (elf_file_open(&mod->in, args->in) ||
	    module_read_roles(mod) ||
	    module_read_modinfo(mod) ||
	    module_read_versions(mod, args->no_modversions) ||
	    module_check_relocs(mod))
		return -1;
	if (module_copy_sections(mod))
		return -1;
	module_copy_symbols(mod);
	module_copy_relocs(mod);
	if (module_check_output(mod))
		return -1;
	if (diag_refusals())
		return 0;
	return elf_out_write(&mod->out, args->out);
}

static void module_free(struct module *mod)
{
	struct klp_symbol *k, *next_k;
	struct version *v, *next_v;

	HASH_ITER(hh, mod->klp_symbols, k, next_k) {
		HASH_DEL(mod->klp_symbols, k);
		free(k);
	}
	HASH_ITER(hh, mod->versions, v, next_v) {
		HASH_DEL(mod->versions, v);
		free(v);
	}
	for (size_t i = 0; mod->roles && i < mod->in.nsymbols; i++)
		klp_name_free(&mod->roles[i].klp);
	free(mod->roles);
	free(mod->sections);
	elf_out_free(&mod->out);
	elf_file_close(&mod->in);
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "debug", 'd', NULL, 0, "Say what becomes of every livepatch relocation", 0 },
		{ NULL, 'h', NULL, 0, "The same as --help", -1 },
		{ "findings", OPT_FINDINGS, "FILE", 0,
		  "Write for other programs each error, refusal and warning, with a word for the reason", 0 },
		{ "no-modversions", OPT_NO_MODVERSIONS, NULL, 0,
		  "The kernel has no CONFIG_MODVERSIONS: do not insist on __versions", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = options,
		.parser = parse_option,
		.args_doc = "IN.ko OUT.ko",
		.doc = "Turn a linked module into one that the kernel's livepatch loader understands."
		       "\v"
		       "Exit codes: 0 done, 1 error, 2 refused.",
	};
	struct arguments args = { 0 };
	struct module mod = { 0 };
	int ret;

	diag_init(argv[0]);
	argp_err_exit_status = EXIT_ERROR;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return EXIT_ERROR;
	ret = convert(&mod, &args);
	module_free(&mod);
	if (ret)
		return EXIT_ERROR;
	return diag_refusals() ? EXIT_REFUSED : EXIT_DONE;
}
