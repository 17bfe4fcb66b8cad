"""Phrases for image-text encoders: what absence is measured against, and what may be named."""

from typing import Final

# Generic captions of the most different pictures. A picture's score for a question is compared
# with its scores for these, so none of them should be rare and none should fit everything.
BACKGROUND_PHRASES: Final = (
    *("a photo of a person", "a photo of a man", "a photo of a woman", "a photo of a child"),
    *("a group of people", "a crowd", "a face", "hands", "a photo of a dog", "a photo of a cat"),
    *(
        "a bird",
        "a horse",
        "a wild animal",
        "an insect",
        "a fish",
        "a flower",
        "a tree",
        "a forest",
    ),
    *("a mountain", "a beach", "the sea", "a river", "the sky", "a field", "snow", "a garden"),
    *("a street", "a road with cars", "a car", "a bus", "a train", "an airplane", "a boat"),
    *("a bicycle", "a building", "a house", "a bridge", "a city at night", "a shop", "a market"),
    *("a kitchen", "a living room", "a bedroom", "a bathroom", "an office", "a classroom"),
    *("a stage", "a computer screen", "a slide with text", "a document", "a drawing", "a cartoon"),
    *(
        "a diagram",
        "a map",
        "a sign",
        "a phone",
        "a table",
        "a chair",
        "food on a plate",
        "a drink",
    ),
    *("fruit", "clothes", "a tool", "a toy", "a ball", "a musical instrument", "a sports game"),
    *("a black screen", "a blurry picture", "an abstract pattern", "a close-up", "a wall"),
)

# What a moment may be called in an answer.
LABEL_PHRASES: Final = (
    # people and what they do
    *("a person", "a man", "a woman", "a child", "a baby", "two people", "a group of people"),
    *("a crowd", "a face close up", "hands", "a person talking", "a person walking"),
    *("a person running", "a person sitting", "a person standing", "a person dancing"),
    *("a person cooking", "a person eating", "a person drinking", "a person reading"),
    *("a person writing", "a person typing on a keyboard", "a person on the phone"),
    *("a person presenting", "a lecture", "a meeting", "an interview", "a news studio"),
    *("a person riding a bicycle", "a person driving", "a person swimming", "a person climbing"),
    *("a person playing a musical instrument", "a concert", "a person singing", "a handshake"),
    *("people hugging", "people clapping", "a person opening a door", "a person carrying a box"),
    # animals
    *("a dog", "a cat", "a bird", "a parrot", "a duck", "a chicken", "a horse", "a cow", "a sheep"),
    *("a goat", "a pig", "a rabbit", "a squirrel", "a deer", "a bear", "a monkey", "an ape"),
    *("an elephant", "a giraffe", "a lion", "a zebra", "a fish", "a shark", "a turtle", "a snake"),
    *("a frog", "a butterfly", "a bee", "a spider"),
    # outdoors
    *("a forest", "a tree", "a leaf", "a flower", "a garden", "a meadow", "a field", "a mountain"),
    *("a desert", "a rock", "a beach", "the sea", "waves", "a lake", "a river", "a waterfall"),
    *("a pond", "the sky", "clouds", "a sunset", "a rainbow", "rain", "snow", "fog", "lightning"),
    *("fire", "smoke", "fireworks", "the moon", "stars", "a park", "a playground", "a farm"),
    # traffic and towns
    *("a street", "a motorway", "a road", "a crossroads", "a traffic light", "a traffic jam"),
    *("a car", "a parked car", "a car interior", "a taxi", "a bus", "a truck", "a van"),
    *("a motorcycle", "a bicycle", "a train", "a railway station", "a tram", "an airplane"),
    *("an airport", "a helicopter", "a boat", "a ship", "a harbour", "a bridge", "a tunnel"),
    *("a city skyline", "a city at night", "a building", "a house", "a church", "a tower"),
    *("a factory", "a construction site", "a crane", "a car park", "a shop", "a supermarket"),
    *("a market", "a restaurant", "a sign", "a billboard", "a statue", "a fountain", "a stadium"),
    # indoors
    *("a room", "an empty room", "a living room", "a bedroom", "a kitchen", "a bathroom"),
    *("an office", "a corridor", "stairs", "a lift", "a classroom", "a laboratory", "a hospital"),
    *("a workshop", "a warehouse", "a library", "a gym", "a stage", "a window", "a door"),
    *(
        "a table",
        "a chair",
        "a sofa",
        "a bed",
        "a desk",
        "a shelf",
        "a lamp",
        "a mirror",
        "a clock",
    ),
    # things
    *("a computer", "a laptop", "a computer screen", "a keyboard", "a phone", "a television"),
    *("a camera", "a book", "a newspaper", "paper documents", "a pen", "a bag", "a suitcase"),
    *("a box", "a bottle", "a cup", "a glass", "a plate", "a bowl", "a knife", "a pan", "a ball"),
    *(
        "a toy",
        "building blocks",
        "a balloon",
        "an umbrella",
        "a hat",
        "glasses",
        "shoes",
        "a coat",
    ),
    *("a guitar", "a piano", "a drum", "a violin", "a tool", "a hammer", "scissors", "a machine"),
    *("a robot", "a drone", "money", "a flag", "a gun", "a football", "a basketball", "a swing"),
    # food
    *("food", "fruit", "an apple", "a banana", "vegetables", "bread", "meat", "soup", "a pizza"),
    *("a cake", "ice cream", "coffee", "juice", "wine"),
    # kinds of pictures
    *("a title card", "text on a screen", "credits", "a slide", "a chart", "a map", "a diagram"),
    *("a drawing", "a cartoon", "an animation", "a video game", "source code", "a web page"),
    *("a black screen", "a white screen", "a dark scene", "a bright scene", "a blurry picture"),
    *("a view from above", "a close-up", "a night scene", "an infrared picture"),
)
