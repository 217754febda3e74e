// The languages by name: what `weir schema` prints and `weir schema check` answers.
#include <fmt/format.h>

#include "weir/base/yaml.hpp"
#include "weir/catalog/catalog.hpp"
#include "weir/catalog/catalog_file.hpp"
#include "weir/fleet/fleet_file.hpp"
#include "weir/job/job_file.hpp"
#include "weir/job/sbatch.hpp"
#include "weir/job/schema.hpp"
#include "weir/tenancy/organisations_file.hpp"

namespace weir::job {
namespace {

tl::unexpected<Error> unknown(std::string_view language, std::string_view valid) {
    return fail(Code::invalid,
                fmt::format("'{}' is not a language of weir; valid are {}", language, valid));
}

std::string job_reference() {
    return R"(# Job file

What a user asks for: what to run, what must start together, for how long. Read by `weir submit FILE` and checked by
`weir schema check FILE`. YAML or JSON, at most 1 MiB; quantities carry units (`128GiB`, `4h`). A file is accepted whole or refused
whole. Parts marked *(checked only)* must be right, but a hub of this version does not accept a job that depends on
them. This page is generated: `weir schema job --markdown`.

```yaml
name: wing-flutter
tenant: university/aero
run: mpirun -n 32 ./flutter in.nml
gang: {replicas: 8, chips: 4, cpus: 32, memory: 128GiB, within: rack}
chips: {any_of: [h200, a100-sxm-80g]}
time: {limit: 4h, expected: 3h}
after: [mesh-wing]
env: {OMP_NUM_THREADS: 8}
```

Every replica finds in its environment:

| variable | value |
| --- | --- |
| `WEIR_JOB_ID`, `WEIR_JOB_NAME`, `WEIR_ATTEMPT`, `WEIR_TENANT` | id of the job (`12`, `12_3`), its name, 1 for the first attempt, its tenant |
| `WEIR_REPLICA`, `WEIR_REPLICAS` | its number from 0, and how many replicas the gang has |
| `WEIR_NODE`, `WEIR_NODES` | the node it runs on, and all nodes of the gang with commas between |
| `WEIR_ARRAY_ID`, `WEIR_ARRAY_INDEX` | of an array: id of the whole, index of this member |
| `WEIR_RUN_DIR`, `WEIR_HUB` | folder of the attempt, address of the hub |
| `RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `LOCAL_WORLD_SIZE` | as PyTorch and others expect them |
| `MASTER_ADDR`, `MASTER_PORT` | where the ranks meet; `env` of the job may set others |
| `CUDA_VISIBLE_DEVICES` or its like of another vendor | its chips |
| `WEIR_TP`, `WEIR_PP`, `WEIR_DP`, `WEIR_CP`, `WEIR_EP`, `WEIR_MICRO_BATCH`, …, `WEIR_LAUNCH_ARGS` | of a [training job](../guides/train.md): its plan, and what its framework is told |

`env` may not set any of them but the meeting place. Slurm users: [their scripts run unchanged](sbatch.md).

)" + schema::markdown(job_schema());
}

// The keys of the top level say it. A job has sites too, but as names, and never without something
// to run; and of a job `chips` is a map.
std::string_view language_of(const yaml::Node& document) {
    if (document.find("run") != nullptr || document.find("script") != nullptr) return "job";
    if (document.find("sites") != nullptr) return "fleet";
    if (document.find("tenants") != nullptr) return "tenants";
    const yaml::Node* const chips = document.find("chips");
    if (chips != nullptr && chips->kind == yaml::Kind::sequence) return "catalog";
    return "job";
}

// A key of the top level in what is no YAML, or not yet: at the beginning of a line, or the first
// one in JSON.
bool has_top_key(std::string_view text, std::string_view key) {
    for (std::size_t at = text.find(key); at != std::string_view::npos;
         at = text.find(key, at + 1)) {
        const std::string_view before = text.substr(0, at);
        const std::string_view after = text.substr(at + key.size());
        const bool yaml = (before.empty() || before.back() == '\n') && after.substr(0, 1) == ":";
        const bool json = before.size() >= 1 && before.back() == '"' &&
                          after.substr(0, 1) == "\"" &&
                          before.find_first_not_of(" \t\r\n{\"") == std::string_view::npos;
        if (yaml || json) return true;
    }
    return false;
}

// What a key of the top level stands for is a list.
bool begins_list(std::string_view text, std::string_view key) {
    if (!has_top_key(text, key)) return false;
    const auto at = text.find_first_not_of("\": \t\r\n", text.find(key) + key.size());
    return at != std::string_view::npos && (text[at] == '-' || text[at] == '[');
}

}  // namespace

const std::vector<std::string_view>& languages() {
    static const std::vector<std::string_view> names{"job", "fleet", "tenants", "catalog"};
    return names;
}

Result<std::string> language_json_schema(std::string_view language) {
    if (language == "job") return schema::json_schema(job_schema(), "A job of weir");
    if (language == "fleet") return schema::json_schema(fleet::fleet_schema(), "A fleet of weir");
    if (language == "tenants") {
        return schema::json_schema(tenancy::organisations_schema(), "The organisations of weir");
    }
    if (language == "catalog") {
        return schema::json_schema(catalog::catalog_schema(), "A catalogue of chips for weir");
    }
    return unknown(language, "job, fleet, tenants, catalog");
}

Result<std::string> language_reference(std::string_view language) {
    if (language == "job") return job_reference();
    if (language == "fleet") return fleet::fleet_reference();
    if (language == "tenants") return tenancy::organisations_reference();
    if (language == "catalog") return catalog::catalog_reference();
    if (language == "sbatch") return sbatch_reference();
    return unknown(language, "job, fleet, tenants, catalog, sbatch");
}

std::string_view language_of(std::string_view text) {
    if (looks_like_script(text)) return "sbatch";
    if (const auto document = yaml::parse(text, "", yaml::fleet_limits)) {
        return language_of(*document);
    }
    // The error has to be one of the language that was meant, so this goes by looks.
    if (has_top_key(text, "run") || has_top_key(text, "script")) return "job";
    if (has_top_key(text, "sites")) return "fleet";
    if (has_top_key(text, "tenants")) return "tenants";
    if (begins_list(text, "chips")) return "catalog";
    return "job";
}

Result<std::vector<std::string>> check_text(std::string_view text,
                                            std::string_view source,
                                            std::string_view language) {
    if (language.empty()) language = language_of(text);
    if (language == "job") {
        WEIR_TRY(ParsedJob parsed, read_job_text(text, source));
        return std::move(parsed.notes);
    }
    if (language == "sbatch") {
        WEIR_TRY(ParsedJob parsed, read_sbatch_text(text, source));
        return std::move(parsed.notes);
    }
    if (language == "fleet") {
        WEIR_TRY(fleet::ParsedFleet parsed, fleet::read_fleet_text(text, source));
        return std::move(parsed.notes);
    }
    if (language == "tenants") {
        WEIR_TRY(tenancy::ParsedOrganisations parsed,
                 tenancy::read_organisations_text(text, source));
        return std::move(parsed.notes);
    }
    if (language == "catalog") {
        WEIR_CHECK(catalog::read_catalog_text(text, source, &catalog::Catalog::built_in()));
        return std::vector<std::string>{};
    }
    return unknown(language, "job, fleet, tenants, catalog, sbatch");
}

}  // namespace weir::job
