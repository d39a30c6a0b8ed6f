// SPDX-License-Identifier: GPL-2.0-only
/*
 * kpatch-report: turns what kpatch-build notes of its builds into a report, for programs (JSON) or people (HTML). The
 * last program to run, also when no module came out of it.
 */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "report.h"

const char *argp_program_version = "kpatch-report " KPATCH_VERSION;

static const struct {
	const char *name;
	int (*write)(struct json_object *builds, FILE *out);
} forms[] = {
	{ "json", write_json },
	{ "html", write_html },
};

struct arguments {
	const char *form;
	char **paths;
	size_t npaths;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *args = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (args->form)
			return ARGP_ERR_UNKNOWN;	/* come back with ARGP_KEY_ARGS */
		args->form = arg;
		return 0;
	case ARGP_KEY_ARGS:
		args->paths = state->argv + state->next;
		args->npaths = state->argc - state->next;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!args->npaths) {
			diag_error("%s is missing; see kpatch-report --help", args->form ? "FACTS" : "FORM");
			return EINVAL;
		}
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "json|html FACTS...",
		.doc = "Write a report about builds of kpatch-build to standard output. FACTS is what one of them noted."
		       "\v"
		       "Exit status: 0 written, 1 error.",
	};
	struct arguments args = { 0 };
	struct json_object *builds;
	int ret = -1;

	diag_init(argv[0]);
	argp_err_exit_status = EXIT_ERROR;
	if (argp_parse(&argp, argc, argv, 0, NULL, &args))
		return EXIT_ERROR;
	builds = json_object_new_array();
	for (size_t i = 0; i < args.npaths; i++) {
		struct json_object *build = facts_read(args.paths[i]);

		if (!build)
			goto out;
		json_object_array_add(builds, build);
	}
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (!strcmp(forms[i].name, args.form)) {
			ret = forms[i].write(builds, stdout);
			if (!ret && fflush(stdout))
				ret = diag_error("standard output: %s; is the disk full?", strerror(errno));
			goto out;
		}
	diag_error("%s: no such form of a report; see kpatch-report --help", args.form);
out:
	json_object_put(builds);
	return ret ? EXIT_ERROR : EXIT_DONE;
}
