#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "weir/base/yaml.hpp"
#include "weir/catalog/catalog_file.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/job/sbatch.hpp"
#include "weir/job/schema.hpp"
#include "weir/tenancy/organisations_file.hpp"

namespace weir::job {
namespace {

using ::testing::HasSubstr;

std::string file(const std::string& path) {
    std::ifstream stream(std::string(WEIR_SOURCE_DIR) + "/" + path);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

TEST(Languages, HaveReferencePagesThatMatchTheirTables) {
    EXPECT_EQ(file("docs/reference/job.md"), *language_reference("job"))
        << "regenerate it: weir schema job --markdown > docs/reference/job.md";
    EXPECT_EQ(file("docs/reference/sbatch.md"), *language_reference("sbatch"))
        << "regenerate it: weir schema sbatch --markdown > docs/reference/sbatch.md";
    EXPECT_THAT(language_reference("poem").error().message, HasSubstr("valid are job, fleet"));
}

// Every example of a table must be valid where it stands, or the reference would lie.
// An object may contain itself, as an organisation does: each is looked at once.
void check_examples(const schema::Object& object,
                    const std::string& path,
                    std::set<const schema::Object*>& seen) {
    if (!seen.insert(&object).second) return;
    for (const schema::Field& field : object.fields) {
        if (!field.example.empty() && field.example != "|") {
            const std::string text = std::string(field.key) + ": " + std::string(field.example);
            const auto tree = yaml::parse(text, path);
            ASSERT_TRUE(tree.has_value()) << text;
            // The field alone: what else the object requires is not asked here.
            schema::Object alone{object.name, object.doc, {field}, {}};
            const auto checked = schema::check(alone, *tree, path);
            EXPECT_TRUE(checked.has_value()) << text << ": " << checked.error().message;
        }
        const std::function<void(const schema::Value&)> below = [&](const schema::Value& value) {
            for (const schema::Value& inner : value.inner)
                below(inner);
            if (value.object != nullptr) {
                check_examples(*value.object, path + "." + std::string(field.key), seen);
            }
        };
        below(field.value);
    }
}

TEST(Languages, GiveOnlyExamplesThatAreValid) {
    std::set<const schema::Object*> seen;
    check_examples(job_schema(), "job", seen);
    check_examples(fleet::fleet_schema(), "fleet", seen);
    check_examples(tenancy::organisations_schema(), "tenants", seen);
    check_examples(catalog::catalog_schema(), "catalog", seen);
}

TEST(Languages, DescribeThemselvesToEditors) {
    for (const std::string_view language : languages()) {
        const auto json = nlohmann::json::parse(*language_json_schema(language));
        EXPECT_EQ(json.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
        EXPECT_GT(json.at("properties").size(), 0U);
        EXPECT_EQ(json.at("additionalProperties"), false);
    }
    EXPECT_FALSE(language_json_schema("sbatch").has_value());
}

TEST(Languages, AreRecognisedByTheirTexts) {
    EXPECT_EQ(language_of("#!/bin/sh\n"), "sbatch");
    EXPECT_EQ(language_of("sites:\n  - name: a\n"), "fleet");
    EXPECT_EQ(language_of("{\"sites\": []}"), "fleet");
    EXPECT_EQ(language_of("run: a\nsites: [local]\n"), "job");
    EXPECT_EQ(language_of("tenants:\n  - name: a\n"), "tenants");
    EXPECT_EQ(language_of("run: a\ntenant: a\n"), "job");
    EXPECT_EQ(language_of("run: a\nchips: {any_of: [h200]}\n"), "job");
    EXPECT_EQ(language_of("chips:\n  any_of: [h200]\n"), "job");
    EXPECT_EQ(language_of("# ours\nchips:\n  - name: npu\n"), "catalog");
    EXPECT_EQ(language_of("{\"chips\": [{\"name\": \"npu\"}]}"), "catalog");
    EXPECT_EQ(language_of(""), "job");
    // Flow style, and keys in another order.
    EXPECT_EQ(language_of("{tenants: [{name: a}]}"), "tenants");
    EXPECT_EQ(language_of("{sites: [{name: a, pools: []}]}"), "fleet");
    EXPECT_EQ(language_of("{links: [], sites: [{name: a}]}"), "fleet");
    EXPECT_EQ(language_of("{name: x, run: a, sites: [local]}"), "job");
    EXPECT_EQ(language_of("{chips: [{name: npu}]}"), "catalog");
    EXPECT_EQ(language_of("{\"currency\": \"CNY\", \"tenants\": []}"), "tenants");
    EXPECT_EQ(language_of("env:\n  tenants: x\nrun: a\n"), "job");
    // What is broken is still of the language that it looks like.
    EXPECT_EQ(language_of("tenants:\n  - name: [\n"), "tenants");
}

TEST(Languages, AreCheckedWithNotes) {
    EXPECT_TRUE(check_text("run: a\n", "j.yaml")->empty());
    EXPECT_THAT(*check_text("run: a\nretry_on: [75]\n", "j.yaml"),
                ::testing::ElementsAre(HasSubstr("`retry_on` is checked but not honoured")));
    EXPECT_TRUE(check_text("sites: [{name: a, pools: [{name: p, nodes: 1, cpus: 1}]}]\n", "f.yaml")
                    ->empty());
    EXPECT_TRUE(check_text("tenants: [{name: a}]\n", "t.yaml")->empty());
    EXPECT_TRUE(check_text("chips: [{name: npu, memory: 64GiB}]\n", "c.yaml")->empty());
    EXPECT_FALSE(check_text("run: a\n", "j.yaml", "fleet").has_value());
    EXPECT_FALSE(check_text("run: a\n", "j.yaml", "poem").has_value());
    EXPECT_EQ(check_text("#!/bin/sh\n#SBATCH -p x\n", "s.sh")->size(), 1U);
}

}  // namespace
}  // namespace weir::job
