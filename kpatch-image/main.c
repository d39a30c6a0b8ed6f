// SPDX-License-Identifier: GPL-2.0-only
/*
 * kpatch-image: reads what a distribution ships, so that no kernel need be built and no debug package
 * be there. The first program to run on a kernel; its output goes to create-diff-object.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "diag.h"

const char *argp_program_version = "kpatch-image " KPATCH_VERSION;

static const struct command *const commands[] = {
	&command_symtab,
	&command_release,
	&command_unpack,
	&command_struct,
	&command_build_id,
	&command_compiler,
	NULL,
};

struct state {
	const struct command *command;
	struct command_line line;
	int first;		/* index of the subcommand in argv */
};

static error_t parse_command_option(int key, char *arg, struct argp_state *argp)
{
	struct state *state = argp->input;

	switch (key) {
	case 'o':
		state->line.output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (!state->line.file) {
			state->line.file = arg;
			return 0;
		}
		return ARGP_ERR_UNKNOWN;	/* come back with ARGP_KEY_ARGS */
	case ARGP_KEY_ARGS:
		if (!(state->command->wants & WANTS_NAMES)) {
			diag_error("%s: one FILE at a time; see kpatch-image %s --help",
				   argp->argv[argp->next], state->command->name);
			return EINVAL;
		}
		state->line.names = argp->argv + argp->next;
		argp->next = argp->argc;
		return 0;
	case ARGP_KEY_END:
		if (!state->line.file || ((state->command->wants & WANTS_NAMES) && !state->line.names)) {
			diag_error("%s: %s is missing; see kpatch-image %s --help",
				   state->command->name, state->line.file ? "NAME" : "FILE",
				   state->command->name);
			return EINVAL;
		}
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* The first argument that is no option names the subcommand; the rest is the subcommand's. */
static error_t parse_option(int key, char *arg, struct argp_state *argp)
{
	struct state *state = argp->input;

	if (key == ARGP_KEY_NO_ARGS) {
		diag_error("no subcommand; see kpatch-image --help");
		return EINVAL;
	}
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	for (const struct command *const *c = commands; *c; c++)
		if (!strcmp(arg, (*c)->name))
			state->command = *c;
	if (!state->command) {
		diag_error("%s: no such subcommand; see kpatch-image --help", arg);
		return EINVAL;
	}
	/* The rest is left alone. */
	state->first = argp->next - 1;
	argp->next = argp->argc;
	return 0;
}

static int run_command(struct state *state, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{ "output", 'o', "OUTPUT", 0, "Write to OUTPUT instead of standard output", 0 },
		{ 0 },
	};
	const struct argp argp = {
		.options = options,
		.parser = parse_command_option,
		.args_doc = state->command->usage,
		.doc = state->command->doc,
	};
	char *name = xasprintf("kpatch-image %s", state->command->name);
	int ret;

	argv[0] = name;
	ret = argp_parse(&argp, argc, argv, 0, NULL, state) ? -1 : 0;
	if (!ret)
		ret = state->command->run(&state->line);
	free(name);
	return ret;
}

int main(int argc, char **argv)
{
	static const char doc[] =
		"Read a shipped kernel image or module: vmlinuz, vmlinux, .ko, .ko.xz, .ko.zst, .ko.gz."
		"\v"
		"Subcommands:\n"
		"  symtab FILE          the symbols that the running kernel knows of FILE\n"
		"  release FILE         its kernel release\n"
		"  unpack FILE          the ELF file in it\n"
		"  struct FILE NAME...  sizes of structures of a kernel\n"
		"  build-id FILE        its build ID\n"
		"  compiler FILE        what it was compiled with\n";
	static const struct argp argp = {
		.parser = parse_option,
		.args_doc = "SUBCOMMAND FILE [NAME...]",
		.doc = doc,
	};
	struct state state = { 0 };

	diag_init(argv[0]);
	argp_err_exit_status = EXIT_ERROR;
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &state))
		return EXIT_ERROR;
	return run_command(&state, argc - state.first, argv + state.first) ? EXIT_ERROR : EXIT_DONE;
}
