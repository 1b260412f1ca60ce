// Serves `divide` by amqp091-go: the least that works. Runs until Ctrl-C.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

func divide(body []byte) (float64, error) {
	var kwargs struct{ A, B float64 }
	if err := json.Unmarshal(body, &kwargs); err != nil {
		return 0, err
	}
	quotient := kwargs.A / kwargs.B
	if math.IsNaN(quotient) || math.IsInf(quotient, 0) {
		return 0, fmt.Errorf("cannot divide %v by %v", kwargs.A, kwargs.B)
	}
	return quotient, nil
}

func serve(channel *amqp.Channel, call amqp.Delivery) error {
	var reply any
	kind := "result"
	reply, err := divide(call.Body)
	if err != nil {
		kind = "error"
		reply = map[string]any{"error": map[string]any{"type": "DivideError", "message": err.Error()}}
	}
	if call.ReplyTo != "" {
		body, err := json.Marshal(reply)
		if err != nil {
			return err
		}
		message := amqp.Publishing{Type: kind, CorrelationId: call.CorrelationId, Body: body}
		err = channel.PublishWithContext(context.Background(), "", call.ReplyTo, false, false, message)
		if err != nil {
			return err
		}
	}
	return call.Ack(false)
}

func main() {
	url := os.Getenv("RABBITMQ_URL")
	if url == "" {
		url = "amqp://guest:guest@localhost:5672/%2f"
	}
	connection, err := amqp.Dial(url)
	check(err)
	channel, err := connection.Channel()
	check(err)
	arguments := amqp.Table{"x-dead-letter-exchange": "rpc.dlx"}
	_, err = channel.QueueDeclare("divide", true, false, false, false, arguments)
	check(err)
	check(channel.Qos(16, 0, false))
	calls, err := channel.Consume("divide", "", false, false, false, false, nil)
	check(err)
	fmt.Println("ready")
	for call := range calls {
		check(serve(channel, call))
	}
	log.Fatal("the connection or the queue is gone")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
