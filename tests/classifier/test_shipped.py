"""What ships: hard work of any field is never taken for the cheapest, a support desk's daily bread is."""

from __future__ import annotations

import pytest

from classifier.artifact import bundled_models, champion_folder
from classifier.tier_classifier import TierClassifier

HARD = {
    "graduate chemistry": [
        (
            "A reaction of an alkyl bromide with sodium ethoxide shows a primary kinetic isotope effect"
            " of 6.9 at the beta carbon and no exchange with solvent. Which mechanism is operating, and"
            " what stereochemistry do you expect for the (2R,3S) diastereomer?"
        ),
        (
            "Predict the major product and justify the regio- and stereochemistry: (E)-1-phenylpropene "
            "with mCPBA, then MeMgBr and CuI, then Swern oxidation."
        ),
        (
            "In the 13C NMR of this octahedral cobalt complex two of the three carbonyls coalesce at "
            "240 K. Derive the barrier and propose the fluxional process."
        ),
    ],
    "number theory": [
        "Prove that there are infinitely many primes congruent to 3 modulo 4.",
        ("Show that if p is an odd prime, then 2 is a quadratic residue mod p exactly when p ≡ ±1 (mod 8)."),
        "Let n > 1. Prove that n does not divide 2^n - 1.",
    ],
    "contract clause": [
        (
            "Clause 9.2: 'Neither party is liable for indirect loss, save that nothing limits liability"
            " under clause 11.' Clause 11 is the indemnity for data breaches. Is lost profit after a "
            "breach recoverable, and how would the other side argue against it?"
        ),
        (
            "Does this non-compete survive the sale of the business to a competitor if the assignment "
            "clause requires consent 'not to be unreasonably withheld', and consent was never asked "
            "for? German law."
        ),
        (
            "Our supplier invokes force majeure because steel has doubled in price. Interpret the "
            "clause: 'events beyond reasonable control, including but not limited to war, strike and "
            "shortage of materials'."
        ),
    ],
    "clinical differential": [
        (
            "54-year-old woman, three weeks of proximal weakness, CK 6,800, dysphagia, new rash on the "
            "eyelids and a weight loss of 9 kg. Differential diagnosis in order, and what must not be "
            "missed?"
        ),
        (
            "Postpartum day 6: headache, BP 168/104, creatinine 1.4, platelets 88, schistocytes few. "
            "How do you tell HELLP from TTP from aHUS here and what do you start tonight?"
        ),
        (
            "Give a ranked differential for fever, new murmur, and a cold left foot in a 29-year-old "
            "who injects drugs, with the test that separates each."
        ),
    ],
}
EASY = {
    "order status": [
        "Where is my order 88213?",
        "hi, has my parcel been shipped yet?",
    ],
    "return policy": [
        "What is your return policy?",
        "can i send the shoes back after 3 weeks",
    ],
    "opening hours": [
        "What are your opening hours on Saturday?",
        "are you open on bank holidays?",
    ],
    "password reset": [
        "How do I reset my password?",
        "I forgot my password, please send me a new link",
    ],
    "address change": [
        "How do I change my delivery address?",
        "I moved, please update my address to 12 Mill Lane.",
    ],
    "invoice copy": [
        "Can I have a copy of my invoice from March?",
        "pls resend invoice no 2217",
    ],
    "delivery delay": [
        "My delivery is two days late, when will it come?",
        "why is my package delayed",
    ],
}


@pytest.fixture(scope="module")
def shipped():
    return TierClassifier.load(champion_folder(bundled_models()))


@pytest.mark.parametrize(("field", "prompt"), [(name, one) for name, all_ in HARD.items() for one in all_])
def test_hard_work_of_any_field_is_not_sent_to_the_cheapest(shipped, field, prompt):
    assert shipped.predict_one(prompt).required_tier != "economy", field


@pytest.mark.parametrize(("kind", "prompt"), [(name, one) for name, all_ in EASY.items() for one in all_])
def test_the_daily_bread_of_a_support_desk_is_economy(shipped, kind, prompt):
    assert shipped.predict_one(prompt).required_tier == "economy", kind
