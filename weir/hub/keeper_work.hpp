// What one turn of the Keeper does, gathered until its commit. Private to keeper.cpp and
// recovery.cpp.
#pragma once

#include "weir/hub/keeper.hpp"

namespace weir::hub {

struct Keeper::Work {
    struct Answer {
        std::function<void()> give;
        std::function<void(const Error&)> refuse;
    };

    store::Batch batch;
    bool engine_heard = false;  // something that may lead to a decision
    std::vector<Answer> answers;
    std::vector<QueryMessage> questions;
    std::vector<exec::AttemptId> starts;
    std::vector<exec::AttemptId> stops;
    std::vector<exec::AttemptId> forgets;
    std::vector<std::string> loans_over;   // by time, in this turn
    std::vector<std::string> loans_ended;  // these, and those that a party ended
    std::size_t finished_seen = 0;         // of Book::finished(), by who looks for makers
    std::vector<exec::Move> moves;
    std::vector<Datasets::At> removals;
    std::map<std::string, KeyedSubmission> keys;  // of this turn, not yet in the store

    template <class T>
    void answer(const Reply<T>& reply, Result<T> result) {
        answers.push_back(
            {.give = [reply, result = std::move(result)] { reply(result); },
             .refuse = [reply](const Error& error) { reply(Result<T>(fail(error))); }});
    }
};

}  // namespace weir::hub
