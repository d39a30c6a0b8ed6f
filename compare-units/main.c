// SPDX-License-Identifier: GPL-2.0-only
/*
 * compare-units: finds out whether a change of headers can matter to one of the files that include them, without compiling
 * it. Its input is the output of the preprocessor, for the original and the patched source.
 */
#include <argp.h>
#include <stdlib.h>

#include "diag.h"
#include "units.h"

const char *argp_program_version = "compare-units " KPATCH_VERSION;

struct options {
	const char *files[2];
	bool report;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'r':
		options->report = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num >= 2)
			argp_error(state, "too many files");
		options->files[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			argp_error(state, "two files are needed");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int compare(struct unit *original, struct unit *patched, const struct options *options)
{
	items_find(original);
	items_find(patched);
	live_find(original);
	live_find(patched);
	if (live_equal(original, patched))
		return EXIT_UNCHANGED;
	if (options->report)
		live_report(original, patched);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	static const struct argp_option argp_options[] = {
		{ "report", 'r', NULL, 0, "Name what differs", 0 },
		{ 0 },
	};
	static const struct argp argp = {
		.options = argp_options,
		.parser = parse_option,
		.args_doc = "ORIGINAL.i PATCHED.i",
		.doc = "Can two preprocessed C files compile to different code?\v"
		       "Exit status: 0 they can, 1 error, 3 they cannot.",
	};
	struct options options = { 0 };
	struct unit original = { 0 }, patched = { 0 };
	struct words words;
	int status = EXIT_ERROR;

	diag_init(argv[0]);
	argp_err_exit_status = EXIT_ERROR;
	argp_parse(&argp, argc, argv, 0, NULL, &options);
	words_init(&words);
	if (!unit_read(&original, &words, options.files[0]) && !unit_read(&patched, &words, options.files[1]))
		status = compare(&original, &patched, &options);
	unit_free(&original);
	unit_free(&patched);
	words_free(&words);
	return status;
}
