------------------------------- MODULE Fazhi -------------------------------
\* The consensus of spec/consensus.md: PBFT per height with QBFT's round change (arXiv 2002.03613), safety only.
\*
\* What is left out, each time so that the model can do more than the system, never less:
\*   - No network. What a correct member signed may reach anybody at any time, in any order, again and again, or never.
\*   - Faulty members have no state: whatever they could sign counts wherever it helps them, differently for each reader.
\*   - No clock: any timer may be due at any time.
\*   - A block is a name. Whether it is valid or here to be sent makes members sign less, never other things.
\*   - A reader may use any ROUND-CHANGEs that were signed, not only the highest of each member.
\* What is here as it is: who may sign what in which round and after what, quorums, proposers, the lock, what a
\* ROUND-CHANGE claims and what it must prove, the choice of the block, decisions, restarts, the set of each height.
\* Not here: progress, evidence, and the recovery of a member whose vote log is lost.
EXTENDS Integers, FiniteSets, Sequences

CONSTANTS
    Scenarios,  \* <<[seats |-> <<seats of height 1, seats of height 2, ...>>, faulty |-> {member, ...}], ...>>
    Values,     \* blocks that may be proposed at a height
    MaxRound,   \* the highest round
    MaxHeight,  \* the highest height
    Free,       \* TRUE: every proposer is treated as a faulty one
    Mutant      \* the rule that is broken, or "none"

VARIABLES
    run,        \* which scenario this is; never changes
    proposals, prepares, commits, changes,
                \* what correct members have signed: height -> set of <<round, member, value>>; the value of a
                \* ROUND-CHANGE is what it claims to have prepared, <<round, value>>
    at,         \* what a correct member knows of itself at its height: [round, last, lock]
    chain       \* the blocks that a correct member has decided, one a height

said == <<proposals, prepares, commits, changes>>
vars == <<run, said, at, chain>>

-----------------------------------------------------------------------------
Range(s) == {s[k] : k \in DOMAIN s}

MembersOf == [k \in DOMAIN Scenarios |-> [h \in DOMAIN Scenarios[k].seats |-> Range(Scenarios[k].seats[h])]]
CorrectOf == [k \in DOMAIN Scenarios |-> UNION Range(MembersOf[k]) \ Scenarios[k].faulty]
QuorumOf == [k \in DOMAIN Scenarios |-> [h \in DOMAIN Scenarios[k].seats |->
    LET n == Len(Scenarios[k].seats[h])
    IN IF Mutant = "quorum-2f+1" THEN 2 * ((n - 1) \div 3) + 1 ELSE (2 * n + 2) \div 3]]

\* Whose votes are counted at a height: the correct ones, and how many faulty ones.
VotersOf == [k \in DOMAIN Scenarios |-> [h \in DOMAIN Scenarios[k].seats |->
    MembersOf[k][h] \cup IF Mutant = "retired-keys-count" /\ h > 1 THEN MembersOf[k][h - 1] ELSE {}]]
HonestOf == [k \in DOMAIN Scenarios |-> [h \in DOMAIN Scenarios[k].seats |-> VotersOf[k][h] \ Scenarios[k].faulty]]
LiarsOf == [k \in DOMAIN Scenarios |-> [h \in DOMAIN Scenarios[k].seats |->
    Cardinality(VotersOf[k][h] \cap Scenarios[k].faulty)]]

Correct == CorrectOf[run]
Members(h) == MembersOf[run][h]
Honest(h) == HonestOf[run][h]
Liars(h) == LiarsOf[run][h]
Quorum(h) == QuorumOf[run][h]
Faults(h) == (Cardinality(Members(h)) - 1) \div 3
Seats(h) == Scenarios[run].seats[h]
Proposer(h, r) == Seats(h)[((h + r) % Len(Seats(h))) + 1]

Rounds == 0..MaxRound
None == <<-1, 0>>  \* no lock: a prepared round below every round
Fresh == [round |-> 0, last |-> "none", lock |-> None]
Height(i) == Len(chain[i]) + 1

-----------------------------------------------------------------------------
\* A faulty member is taken to have signed whatever may be of use to it, and every message of a correct member to reach
\* whom it should reach, at any time, or never: so there is no network in the state.
Enough(h, who) == Cardinality(who) + Liars(h) >= Quorum(h)

Prepared(h, r, v) == Enough(h, {i \in Honest(h) : <<r, i, v>> \in prepares[h]})

Certified(h, r, v) ==
    IF Mutant = "commits-of-mixed-rounds"
    THEN Enough(h, {i \in Honest(h) : \E r2 \in Rounds : <<r2, i, v>> \in commits[h]})
    ELSE Enough(h, {i \in Honest(h) : <<r, i, v>> \in commits[h]})

\* Whether q ROUND-CHANGEs for round r can be shown of which the highest prepared round is pr, and prescribes v.
\* A faulty member may deny what it prepared, and claim what q PREPAREs prove; a claim that nothing proves is refused.
Prescribes(h, r, pr, v) ==
    LET shown == {m \in changes[h] : m[1] = r /\ m[2] \in Honest(h) /\ m[3][1] <= pr}
    IN /\ Enough(h, shown)
       /\ \/ pr = -1
          \/ \E m \in shown : m[3] = <<pr, v>>
          \/ Liars(h) > 0 /\ (Mutant = "claims-not-proven" \/ Prepared(h, pr, v))

Justified(h, r, v) ==
    \/ r = 0
    \/ Mutant = "choice-not-recomputed"
    \/ \E pr \in -1..r - 1 : Prescribes(h, r, pr, v)

Proposed(h, r, v) ==
    IF Free \/ Proposer(h, r) \notin Correct
    THEN Justified(h, r, v)
    ELSE <<r, Proposer(h, r), v>> \in proposals[h]

-----------------------------------------------------------------------------
\* The steps of a correct member. Each signature is durable before it leaves, so to sign and to say is one step.
Signs(i, h, r) == i \in Members(h) /\ i \in Correct /\ Height(i) = h /\ at[i].round = r

Propose(i, h, r, v) ==
    /\ Signs(i, h, r) /\ at[i].last = "none" /\ i = Proposer(h, r)
    /\ Justified(h, r, v)
    /\ proposals' = [proposals EXCEPT ![h] = @ \cup {<<r, i, v>>}]
    /\ at' = [at EXCEPT ![i].last = "pre-prepare"]
    /\ UNCHANGED <<run, prepares, commits, changes, chain>>

Prepare(i, h, r, v) ==
    /\ Signs(i, h, r) /\ at[i].last \in {"none", "pre-prepare"}
    /\ Proposed(h, r, v)
    /\ prepares' = [prepares EXCEPT ![h] = @ \cup {<<r, i, v>>}]
    /\ at' = [at EXCEPT ![i].last = "prepare"]
    /\ UNCHANGED <<run, proposals, commits, changes, chain>>

Commit(i, h, r, v) ==
    /\ Signs(i, h, r) /\ at[i].last = "prepare" /\ <<r, i, v>> \in prepares[h]
    /\ Prepared(h, r, v)
    /\ commits' = [commits EXCEPT ![h] = @ \cup {<<r, i, v>>}]
    /\ at' = [at EXCEPT ![i].last = "commit", ![i].lock = <<r, v>>]
    /\ UNCHANGED <<run, proposals, prepares, changes, chain>>

\* The timer of a round is due, or f + 1 members are in round r or above.
EnterRound(i, h, r) ==
    /\ r > at[i].round /\ Signs(i, h, at[i].round)
    /\ \/ r = at[i].round + 1
       \/ Cardinality({m[2] : m \in {m \in changes[h] : m[1] >= r}}) + Liars(h) > Faults(h)
    /\ changes' = [changes EXCEPT ![h] = @ \cup {<<r, i, at[i].lock>>}]
    /\ at' = [at EXCEPT ![i].round = r, ![i].last = "none"]
    /\ UNCHANGED <<run, proposals, prepares, commits, chain>>

\* With a seat or without, by votes or by state transfer: it takes a certificate.
Decide(i, h, r, v) ==
    /\ i \in Correct /\ Height(i) = h
    /\ Certified(h, r, v)
    /\ chain' = [chain EXCEPT ![i] = Append(@, v)]
    /\ at' = [at EXCEPT ![i] = Fresh]
    /\ UNCHANGED <<run, said>>

\* What the vote log gives back.
Recovered(i) ==
    LET h == Height(i)
        mine(book) == {m \in book[h] : m[2] = i}
        round == CHOOSE r \in {0} \cup {m[1] : m \in mine(changes)} : \A m \in mine(changes) : m[1] <= r
        in_it(book) == \E m \in mine(book) : m[1] = round
        lock == CHOOSE l \in {None} \cup {<<m[1], m[3]>> : m \in mine(commits)} : \A m \in mine(commits) : m[1] <= l[1]
    IN [round |-> round,
        last |-> IF Mutant = "votes-forgotten" THEN "none"
                 ELSE IF in_it(commits) THEN "commit"
                 ELSE IF in_it(prepares) THEN "prepare"
                 ELSE IF in_it(proposals) THEN "pre-prepare"
                 ELSE "none",
        lock |-> IF Mutant = "lock-forgotten" THEN None ELSE lock]

Restart(i) ==
    /\ i \in Correct /\ Height(i) <= MaxHeight
    /\ at' = [at EXCEPT ![i] = Recovered(i)]
    /\ UNCHANGED <<run, said, chain>>

-----------------------------------------------------------------------------
Begin(k) ==
    LET nothing == [h \in DOMAIN Scenarios[k].seats |-> {}]
    IN /\ run = k
       /\ proposals = nothing /\ prepares = nothing /\ commits = nothing /\ changes = nothing
       /\ at = [i \in CorrectOf[k] |-> Fresh]
       /\ chain = [i \in CorrectOf[k] |-> <<>>]

Init == \E k \in DOMAIN Scenarios : Begin(k)

Works(i) ==
    LET h == Height(i)
        r == at[i].round
    IN /\ h <= MaxHeight
       /\ \/ \E v \in Values : Prepare(i, h, r, v) \/ Commit(i, h, r, v) \/ (~Free /\ Propose(i, h, r, v))
          \/ \E r2 \in r + 1..MaxRound : EnterRound(i, h, r2)
          \/ Restart(i)

Decides(i) == Height(i) <= MaxHeight /\ \E v \in Values, r \in Rounds : Decide(i, Height(i), r, v)

Next == \E i \in Correct : Works(i) \/ Decides(i)
Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
\* What must hold in every state.
Agreement == \A i, j \in Correct : \A h \in DOMAIN chain[i] \cap DOMAIN chain[j] : chain[i][h] = chain[j][h]

\* Stronger: no two certificates for different blocks of one height can be put together at all.
OneCertificate ==
    \A h \in 1..MaxHeight : Cardinality({v \in Values : \E r \in Rounds : Certified(h, r, v)}) <= 1

OneVote ==
    \A h \in 1..MaxHeight : \A book \in Range(said) : Cardinality({<<m[1], m[2]>> : m \in book[h]}) = Cardinality(book[h])

LockKept ==
    \A h \in 1..MaxHeight : \A c \in commits[h], m \in changes[h] : c[2] = m[2] /\ c[1] < m[1] => c[1] <= m[3][1]

NothingForgotten == \A i \in Correct : Height(i) <= MaxHeight => Recovered(i) = at[i]
=============================================================================
