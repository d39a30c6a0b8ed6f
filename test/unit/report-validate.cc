// SPDX-License-Identifier: GPL-2.0-only
// report-validate SCHEMA FILE: is the JSON in FILE what the schema says? 0 yes, 1 no; says where.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

using valijson::adapters::NlohmannJsonAdapter;

static nlohmann::json read(const char *path)
{
	std::ifstream in(path);
	nlohmann::json value;

	in >> value;
	return value;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	nlohmann::json schema_text = read(argv[1]), value = read(argv[2]);
	valijson::Schema schema;
	valijson::SchemaParser parser;
	valijson::Validator validator;
	valijson::ValidationResults results;
	valijson::ValidationResults::Error error;
	NlohmannJsonAdapter schema_adapter(schema_text), adapter(value);

	parser.populateSchema(schema_adapter, schema);
	if (validator.validate(schema, adapter, &results))
		return 0;
	while (results.popError(error)) {
		for (const auto &part : error.context)
			std::cout << part;
		std::cout << ": " << error.description << "\n";
	}
	return 1;
}
