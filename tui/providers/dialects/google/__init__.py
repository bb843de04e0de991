"""The batch APIs of Google: Gemini, and what it shares with Vertex AI."""
