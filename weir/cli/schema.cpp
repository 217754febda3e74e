// `weir schema` and `weir schema check`: the languages of the files users write, without a hub.
#include "weir/job/schema.hpp"

#include <fmt/format.h>

#include "weir/base/text_file.hpp"
#include "weir/cli/commands.hpp"
#include "weir/cli/hub_link.hpp"
#include "weir/cli/print.hpp"
#include "weir/plan/plan_file.hpp"

namespace weir::cli {
namespace {

// What was found in one file.
struct Checked {
    std::string file;
    std::string language;
    Result<std::vector<std::string>> notes;
};

// A plan file names a model and says nothing of a job.
bool is_plan(std::string_view text) {
    if (job::language_of(text) != "job") return false;
    const auto document = yaml::parse(text, "");
    return document && document->find("run") == nullptr && document->find("script") == nullptr &&
           document->find("chip") != nullptr;
}

Result<std::vector<std::string>> check_plan(std::string_view text, std::string_view source) {
    WEIR_TRY(plan::PlanFile file, plan::read_plan_text(text, source, catalog::Catalog::built_in()));
    return std::move(file.notes);
}

Checked check_file(const std::string& file, const std::string& language) {
    // A fleet file may be larger than any job.
    const auto text = read_text_file(file, yaml::fleet_limits.bytes_max);
    if (!text) return {file, language, fail(text.error())};
    const std::string source = file == "-" ? "standard input" : file;
    if (language == "plan" || (language.empty() && is_plan(*text)))
        return {file, "plan", check_plan(*text, source)};
    const std::string found = language.empty() ? std::string(job::language_of(*text)) : language;
    return {file, found, job::check_text(*text, source, found)};
}

std::string json_of(const Checked& checked) {
    std::string notes;
    if (checked.notes) {
        for (const std::string& sentence : *checked.notes) {
            notes += (notes.empty() ? "" : ",") + json_string(sentence);
        }
    }
    return fmt::format(R"({{"file":{},"language":{},"ok":{},"error":{},"notes":[{}]}})",
                       json_string(checked.file),
                       json_string(checked.language),
                       checked.notes.has_value(),
                       checked.notes ? "null" : json_string(checked.notes.error().message),
                       notes);
}

}  // namespace

int schema(const SchemaOptions& options) {
    if (options.language == "plan") {
        out(options.markdown
                ? plan::plan_reference()
                : schema::json_schema(plan::plan_schema(), "A training configuration for weir"));
        return status_ok;
    }
    const auto text = options.markdown ? job::language_reference(options.language)
                                       : job::language_json_schema(options.language);
    if (!text) return report(text.error());
    out(*text);
    return status_ok;
}

int schema_check(const SchemaCheckOptions& options) {
    int status = status_ok;
    std::string list;
    for (const std::string& file : options.files) {
        const Checked checked = check_file(file, options.language);
        if (!checked.notes) status = report(checked.notes.error());
        if (options.common.json) {
            list += (list.empty() ? "" : ",") + json_of(checked);
        } else if (checked.notes) {
            for (const std::string& sentence : *checked.notes) {
                note(fmt::format("{}: {}", file, sentence));
            }
            out(fmt::format("{}: a valid {} file\n", file, checked.language));
        }
    }
    if (options.common.json) out_json(fmt::format(R"({{"files":[{}]}})", list));
    return status;
}

}  // namespace weir::cli
