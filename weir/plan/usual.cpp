#include "weir/plan/usual.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "weir/base/assert.hpp"
#include "weir/base/embedded.hpp"
#include "weir/base/schema.hpp"

namespace weir::plan {

// The file catalog/usual.yaml (cmake/embed.cmake makes the table).
namespace usual {
std::span<const EmbeddedFile> embedded_files();
}

namespace {

using U = UsualSoftware;
constexpr std::array<std::pair<std::string_view, double U::*>, 12> members{
    {{"tensor_beside", &U::tensor_beside},
     {"experts_beside", &U::experts_beside},
     {"reduce_beside", &U::reduce_beside},
     {"gather_beside", &U::gather_beside},
     {"small_again", &U::small_again},
     {"scores_again", &U::scores_again},
     {"feed_forward_again", &U::feed_forward_again},
     {"latent_again", &U::latent_again},
     {"zero_bubble", &U::zero_bubble},
     {"dualpipe_bubble", &U::dualpipe_bubble},
     {"reserve_share", &U::reserve_share},
     {"reserve_bytes", &U::reserve_bytes}}};

schema::Value basis() {
    return schema::choice({"published", "assumed"});
}

const schema::Object& file_table() {
    static const schema::Object system{
        "system",
        "What chips are built into.",
        {{"chip", schema::text(), "The beginning of their names", "h100", "", true},
         {"chips_per_node", schema::integer(1, 100'000), "That the fast link joins", "8", "", true},
         {"inside", schema::text(), "Kind of that link", "nvlink4", "", true},
         {"inside_GBps", schema::number(0.1, 1e5), "Of a chip", "64", "half of the chip's link"},
         {"between", schema::text(), "Kind of link between nodes", "infiniband", "", true},
         {"between_Gbps", schema::number(0.1, 1e6), "Of a chip", "400", "", true},
         {"basis", basis(), "How well that is known", "published", "", true},
         {"source", schema::text(), "Who says so", "", "", true}},
        {}};
    static const schema::Object figure{
        "figure",
        "A share that software reaches.",
        {{"name", schema::text(), "Which", "tensor_beside", "", true},
         {"value", schema::number(0, 1e12), "How much", "0.7", "", true},
         {"basis", basis(), "How well that is known", "assumed", "", true},
         {"source", schema::text(), "Of what, and who says so", "", "", true}},
        {}};
    static const schema::Object file{
        "usual",
        "What is usual where nobody says otherwise.",
        {{"systems", schema::list_of(schema::object(system)), "Systems"},
         {"software", schema::list_of(schema::object(figure)), "Shares"}},
        {}};
    return file;
}

struct Tables {
    std::vector<UsualSystem> systems{};
    std::vector<UsualFigure> figures{};
    UsualSoftware software{};
};

Tables tables_of(const schema::View& view) {
    Tables made;
    const auto assumed = [](const schema::View& one) { return one.text("basis") == "assumed"; };
    for (const schema::View& one : view.objects("systems")) {
        UsualSystem system;
        system.chip = one.text("chip").value_or("");
        system.chips_per_node =
            static_cast<std::uint32_t>(one.integer("chips_per_node").value_or(8));
        system.inside = one.text("inside").value_or("");
        system.inside_bytes_per_s = one.number("inside_GBps").value_or(0) * 1e9;
        system.between = one.text("between").value_or("");
        system.between_bytes_per_s = one.number("between_Gbps").value_or(0) * 1e9 / 8;
        system.source = one.text("source").value_or("");
        system.assumed = assumed(one);
        made.systems.push_back(std::move(system));
    }
    for (const schema::View& one : view.objects("software")) {
        UsualFigure figure;
        figure.name = one.text("name").value_or("");
        figure.value = one.number("value").value_or(0);
        figure.source = one.text("source").value_or("");
        figure.assumed = assumed(one);
        for (const auto& [name, member] : members) {
            if (name == figure.name) figure.member = member;
        }
        WEIR_ASSERT(figure.member != nullptr);
        made.software.*figure.member = figure.value;
        made.figures.push_back(std::move(figure));
    }
    // Our own file; a test reads it, too.
    WEIR_ASSERT(made.figures.size() == members.size());
    return made;
}

const Tables& tables() {
    static const Tables made = [] {
        Tables all;
        for (const EmbeddedFile& file : usual::embedded_files()) {
            const auto node = yaml::parse(file.bytes, file.path);
            WEIR_ASSERT(node.has_value());
            WEIR_ASSERT(schema::check(file_table(), *node, file.path).has_value());
            all = tables_of(schema::View(*node));
        }
        return all;
    }();
    return made;
}

}  // namespace

const UsualSystem& usual_system(std::string_view chip) {
    const UsualSystem* best = nullptr;
    for (const UsualSystem& one : tables().systems) {
        const bool fits = chip.substr(0, one.chip.size()) == one.chip;
        if (fits && (best == nullptr || one.chip.size() > best->chip.size())) best = &one;
    }
    WEIR_ASSERT(best != nullptr);
    return *best;
}

const UsualSoftware& usual_software() {
    return tables().software;
}

const std::vector<UsualFigure>& usual_figures() {
    return tables().figures;
}

}  // namespace weir::plan
