//! What takes an operator: alarms and forced closes. These tests run `rabbitmqctl`.
