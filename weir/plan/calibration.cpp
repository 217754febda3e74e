#include "weir/plan/calibration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "weir/base/assert.hpp"
#include "weir/base/embedded.hpp"
#include "weir/base/schema.hpp"

namespace weir::plan {

// The file catalog/calibration.yaml (cmake/embed.cmake makes the table).
std::span<const EmbeddedFile> embedded_files();

namespace {

using C = ChipCalibration;
using L = LinkCalibration;

constexpr std::array<ChipConstant, 15> of_chips{{
    {"gemm_share", &C::gemm_share, 0.2, 1.0, "Share of the BF16 peak that large products reach"},
    {"gemm_fp8_share", &C::gemm_fp8_share, 0.2, 1.0, "The same of the FP8 peak"},
    {"gemm_area", &C::gemm_area, 0, 1e7, "Elements of a result lost to the last wave"},
    {"gemm_depth", &C::gemm_depth, 0, 4000, "Inner size lost to start and end of a product"},
    {"attention_share", &C::attention_share, 0.05, 1.0, "Share of the peak, attention forward"},
    {"attention_back_share", &C::attention_back_share, 0.05, 1.0, "The same, backward"},
    {"attention_older",
     &C::attention_older,
     0.2,
     1.0,
     "Share of that which attention written for older chips reaches"},
    {"attention_length", &C::attention_length, 0, 8000, "Keys lost to start and end of attention"},
    {"memory_share", &C::memory_share, 0.2, 1.0, "Share of the bandwidth, by moving kernels"},
    {"kernel_s",
     &C::kernel_s,
     1e-6,
     8e-6,
     "Seconds from the end of a kernel to the next one's work"},
    {"host_s", &C::host_s, 0, 1e-3, "Seconds until the host has issued a kernel"},
    {"step_s", &C::step_s, 0, 2, "Seconds of each step beside the layers"},
    {"straggle", &C::straggle, 0, 0.2, "Share of a step for each doubling of the nodes"},
    {"overlap_slowdown", &C::overlap_slowdown, 0, 1, "Share of hidden communication lost"},
    {"spread", &C::spread, 0.01, 2, "Standard deviation of log(measured / predicted)"},
}};

constexpr std::array<LinkConstant, 3> of_links{{
    {"bandwidth_share", &L::bandwidth_share, 0.05, 1.0, "Share of the bandwidth, collectives"},
    {"alltoall_share", &L::alltoall_share, 0.02, 1.0, "The same, all-to-all"},
    {"latency_s", &L::latency_s, 0, 1e-2, "Seconds of one step of a collective"},
}};

template <class Constants>
schema::Object table_of(std::string_view name, std::string_view doc, const Constants& constants) {
    schema::Object table{name, doc, {}, {}};
    table.fields.push_back({"names",
                            schema::list_or_one(schema::text()),
                            "Whose they are; any "
                            "stands for all that have no entry",
                            "[h100-sxm-80g]",
                            "",
                            true});
    table.fields.push_back({"source", schema::text(), "On what they were fitted", "", "", true});
    for (const auto& constant : constants) {
        table.fields.push_back({constant.name,
                                schema::number(constant.low, constant.high),
                                constant.doc,
                                "",
                                "that of any"});
    }
    return table;
}

const schema::Object& file_table() {
    static const schema::Object chip = table_of("chip", "What a kind of chip reaches.", of_chips);
    static const schema::Object link = table_of("link", "What a kind of link reaches.", of_links);
    static const schema::Object file{
        "calibration",
        "What measured runs teach beyond datasheets.",
        {{"chips", schema::list_of(schema::object(chip)), "Kinds of chip"},
         {"links", schema::list_of(schema::object(link)), "Kinds of link"}},
        {}};
    return file;
}

template <class Calibration>
using Entries = std::map<std::string, Calibration, std::less<>>;

template <class Calibration, class Constants>
Entries<Calibration> entries_of(const std::vector<schema::View>& views,
                                const Constants& constants) {
    Entries<Calibration> entries;
    Calibration any;
    for (const schema::View& view : views) {
        Calibration one = any;
        for (const auto& constant : constants) {
            if (const auto value = view.number(constant.name)) one.*constant.member = *value;
        }
        one.source = view.text("source").value_or("");
        for (const std::string& name : view.texts("names")) {
            one.fitted = name != "any";
            entries[name] = one;
            if (name == "any") any = one;
        }
    }
    return entries;
}

struct Tables {
    Entries<ChipCalibration> chips;
    Entries<LinkCalibration> links;
};

const Tables& tables() {
    static const Tables made = [] {
        Tables all;
        for (const EmbeddedFile& file : embedded_files()) {
            const auto node = yaml::parse(file.bytes, file.path);
            // Our own file; a test reads it, too.
            WEIR_ASSERT(node.has_value());
            WEIR_ASSERT(schema::check(file_table(), *node, file.path).has_value());
            const schema::View view(*node);
            all.chips = entries_of<ChipCalibration>(view.objects("chips"), of_chips);
            all.links = entries_of<LinkCalibration>(view.objects("links"), of_links);
        }
        all.chips.try_emplace("any");
        all.links.try_emplace("any");
        return all;
    }();
    return made;
}

template <class Calibration>
const Calibration& entry_of(const Entries<Calibration>& entries, std::string_view name) {
    const auto found = entries.find(name);
    return found != entries.end() ? found->second : entries.find("any")->second;
}

}  // namespace

std::span<const ChipConstant> chip_constants() {
    return of_chips;
}
std::span<const LinkConstant> link_constants() {
    return of_links;
}

const ChipCalibration& chip_calibration(std::string_view chip) {
    return entry_of(tables().chips, chip);
}
const LinkCalibration& link_calibration(std::string_view link) {
    return entry_of(tables().links, link);
}

}  // namespace weir::plan
