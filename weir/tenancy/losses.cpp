#include "weir/tenancy/losses.hpp"

#include <algorithm>

namespace weir::tenancy {
namespace {

struct Words {
    std::string_view name;
    std::string_view title;
};
constexpr std::array<Words, loss_count> words{{
    {"unpowered", "no watts for it"},
    {"failed", "on failed nodes"},
    {"drained", "on drained nodes"},
    {"not_demanded", "nobody waits for it"},
    {"over_quota", "held back by quota"},
    {"wrong_precision", "wrong precision"},
    {"awaiting_data", "waiting for data"},
    {"set_apart", "set apart for others"},
    {"promised", "held for a promise"},
    {"shared_rest", "rest of shared chips"},
    {"fragmented", "fragmentation, order"},
    {"staging", "staging"},
    {"start_up", "start-up"},
    {"checkpoint", "checkpoints"},
    {"restart", "restarts"},
    {"lost_work", "lost work"},
    {"open", "not ended yet"},
    {"plan", "plan"},
    {"kernel", "kernels"},
    {"running", "efficiency unknown"},
    {"useful", "useful"},
}};

}  // namespace

std::string_view name_of(Loss loss) {
    return words[static_cast<std::size_t>(loss)].name;
}
std::string_view title_of(Loss loss) {
    return words[static_cast<std::size_t>(loss)].title;
}

std::string text_of(ChipTime amount) {
    std::string digits;
    do {
        digits += static_cast<char>('0' + static_cast<int>(amount % 10));
        amount /= 10;
    } while (amount > 0);
    std::reverse(digits.begin(), digits.end());
    return digits;
}

double hours_of(ChipTime amount) {
    return static_cast<double>(amount) / 3.6e9;
}

double share_of(ChipTime of, ChipTime whole) {
    return whole > 0 ? static_cast<double>(of) / static_cast<double>(whole) : 0;
}

ChipTime Losses::sum(Loss first, Loss last) const {
    ChipTime sum = 0;
    for (auto i = static_cast<std::size_t>(first); i <= static_cast<std::size_t>(last); ++i)
        sum += of[i];
    return sum;
}

Losses& Losses::operator+=(const Losses& other) {
    for (std::size_t i = 0; i < loss_count; ++i)
        of[i] += other.of[i];
    return *this;
}

const std::array<Step, step_count>& steps() {
    static constexpr std::array<Step, step_count> table{{
        {"peak", "powered", Loss::unpowered, Loss::unpowered},
        {"powered", "healthy", Loss::failed, Loss::drained},
        {"healthy", "demanded", Loss::not_demanded, Loss::not_demanded},
        {"demanded", "admissible", Loss::over_quota, Loss::awaiting_data},
        {"admissible", "allocated", Loss::set_apart, Loss::fragmented},
        {"allocated", "running", Loss::staging, Loss::open},
        {"running", "after the plan", Loss::plan, Loss::plan},
        {"after the plan", "computed", Loss::kernel, Loss::kernel},
    }};
    return table;
}

}  // namespace weir::tenancy
